/** One thing wrong with a recipe. */
export interface RecipeIssue {
  /** Keys from the top, e.g. ['optimizer', 'lrr']. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}
