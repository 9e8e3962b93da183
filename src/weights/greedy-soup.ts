/**
 * Greedy soup (Wortsman et al. 2022, arXiv 2203.05482, recipe 1): files are taken in the order of their own scores, and
 * one stays in the mean where the mean with it scores no lower on held-out images.
 */
export interface GreedySoup {
  /** Files of the mean, the best first. */
  readonly kept: readonly string[];
  /** Of the mean. */
  readonly score: number;
  /** All files in the order in which they were tried. */
  readonly tried: readonly SoupTrial[];
}

export interface SoupTrial {
  readonly path: string;
  /** Of the file alone. */
  readonly alone: number;
  /** Of the mean with it. */
  readonly together: number;
  readonly kept: boolean;
}

/**
 * @param paths one or more
 * @param measure of the mean of files, on held-out images; higher is better
 * @throws RangeError where a score is not a number
 */
export async function greedySoup(
  paths: readonly string[],
  measure: (paths: readonly string[]) => Promise<number>,
): Promise<GreedySoup> {
  const alone: { path: string; score: number }[] = [];
  for (const path of paths) {
    const score = await measure([path]);
    if (Number.isNaN(score)) throw new RangeError(`${path}: no score`);
    alone.push({ path, score });
  }
  alone.sort((a, b) => b.score - a.score);
  let kept: string[] = [];
  let best = Number.NEGATIVE_INFINITY;
  const tried: SoupTrial[] = [];
  for (const { path, score } of alone) {
    const together = kept.length === 0 ? score : await measure([...kept, path]);
    const stays = together >= best;
    if (stays) [kept, best] = [[...kept, path], together];
    tried.push({ path, alone: score, together, kept: stays });
  }
  return { kept, score: best, tried };
}
