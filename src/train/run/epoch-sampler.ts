import type { Sampler } from '../../data/sampling/sampler.js';
import { createSampler } from '../../data/sampling/sampler-choice.js';
import type { Recipe } from '../../recipe/recipe-schema.js';
import { type TrainingData, TrainingDataError } from './training-data.js';

/**
 * The recipe's sampler over the readable training images.
 * @throws SamplerError; TrainingDataError when its epoch doesn't fill one step
 */
export function epochSampler(
  {
    sampler: choice,
    seed,
    batchSize,
    accumulate,
  }: Pick<Recipe, 'sampler' | 'seed' | 'batchSize' | 'accumulate'>,
  data: Pick<TrainingData, 'train' | 'path'>,
): Sampler {
  const sampler = createSampler(choice, data.train.readable, seed);
  if (sampler.length < batchSize * accumulate) {
    throw new TrainingDataError(
      `${data.path}: an epoch of the ${choice.name} sampler visits ${sampler.length} images, which don't fill one ` +
        `${accumulate === 1 ? 'batch' : 'step'} of ${batchSize * accumulate}: lower batchSize` +
        `${accumulate === 1 ? '' : ' or accumulate'}, or raise sampler.epochFactor where the sampler has one.`,
    );
  }
  return sampler;
}
