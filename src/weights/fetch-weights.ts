import type { HubOptions } from '../hub/hub-settings.js';
import { readAdapters } from './adapter-file.js';
import { openWeightSource, requireArchitecture } from './open-weight-source.js';

/** All that is asked of a recipe here: recipes lie above weights. */
interface WithModel {
  readonly model: {
    readonly arch: string;
    readonly weights?: string | undefined;
    readonly adapters?: string | undefined;
  };
}

/**
 * Brings a recipe's weights to this machine before anything else is done, so that a run fails in its first second and
 * not after its images were read.
 * @returns the recipe with the weights' commit instead of a branch that moves: what the run directory keeps, and what
 *   repeats the run
 * @throws HubError; CheckpointError for adapters that can't be read, 'pickle', or 'mismatch' where they are said to be another network's
 */
export async function fetchWeights<Recipe extends WithModel>(
  recipe: Recipe,
  hub: HubOptions,
): Promise<{ readonly recipe: Recipe; readonly notes: readonly string[] }> {
  const { weights, adapters, arch } = recipe.model;
  if (adapters !== undefined) await readAdapters(adapters);
  if (weights === undefined) return { recipe, notes: [] };
  const source = openWeightSource(weights, hub);
  requireArchitecture(await source.config(), arch, source.place);
  await source.file();
  const model = { ...recipe.model, weights: await source.pinned() };
  return { recipe: { ...recipe, model }, notes: await source.notes() };
}
