import { BatchLoader } from '../../data/loader.js';
import type { Stage } from './stage-plan.js';

/**
 * The batches of the run's epoch `epoch` (from 0), a step each. They depend on seed, epoch and number alone.
 * @param startBatch number of the first one wanted
 */
export function epochBatches(
  { data, recipe, sampler }: Pick<Stage, 'data' | 'recipe' | 'sampler'>,
  epoch: number,
  startBatch: number,
): BatchLoader {
  return new BatchLoader({
    dataset: data.train.readable,
    order: sampler.order(epoch),
    batchSize: recipe.batchSize * recipe.accumulate,
    lastBatch: 'drop',
    seed: recipe.seed,
    epoch,
    startBatch,
    ...(recipe.augment !== false && { augmentation: recipe.augment }),
  });
}
