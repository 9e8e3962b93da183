import { isSection, mergeRecipe, settingOf } from './merge-recipe.js';
import type { Recipe, StageRecipe } from './recipe-schema.js';

/**
 * `stages` of a recipe: what each says is put over the recipe's own sections, not over the stage before, so that a stage
 * can be read by itself. In a complete recipe the sections that a stage mentions are complete, too.
 */

/** What a stage says of itself; the rest of it are sections of a recipe. */
const OWN: ReadonlySet<string> = new Set<keyof StageRecipe>(['name', 'start', 'head']);

/** Puts the sections that stages mention over the recipe's. @param given plain data as read from YAML */
export function spreadStages(given: unknown): unknown {
  if (!isSection(given) || !Array.isArray(given.stages)) return given;
  const stages = given.stages.map((stage: unknown) => {
    if (!isSection(stage)) return stage;
    const entries = Object.entries(stage).map(([key, value]) =>
      OWN.has(key) ? [key, value] : [key, mergeRecipe(settingOf(given, key), value, key)],
    );
    return Object.fromEntries(entries);
  });
  return { ...given, stages };
}

/** The recipe of each stage; a recipe without stages is its only one. */
export function stageRecipes({ stages, ...recipe }: Recipe): Recipe[] {
  return (stages ?? [{}]).map((stage) => {
    const sections = Object.entries(stage).filter(([key, value]) => !OWN.has(key) && value !== undefined);
    return { ...recipe, ...Object.fromEntries(sections) };
  });
}
