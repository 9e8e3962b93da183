import { z } from 'zod';
import { classDrawVisits, type LabelledSamples, repeatFactorVisits } from './expected-visits.js';
import { type Sampler, shuffledSampler, weightedSampler } from './sampler.js';

/** The samplers that a recipe can name, with their settings, and how a choice becomes a sampler. */

const shuffledSchema = z.strictObject({ name: z.literal('shuffled').default('shuffled') });

const repeatFactorSchema = z
  .strictObject({
    name: z.literal('repeat-factor'),
    frequency: z
      .enum(['label-mass', 'images'])
      .default('label-mass')
      .describe(
        'of a class: its share of all positive labels (CXR-LT 2026’s winner), or of the images (LVIS)',
      ),
    threshold: z
      .number()
      .positive()
      .max(1)
      .optional()
      .describe('classes below this frequency are repeated; absent: 0.01 of the label mass, 0.001 of images'),
    cap: z
      .union([z.literal(false), z.number().min(1)])
      .optional()
      .describe('most visits of one image in an epoch, or false; absent: 10 by label mass, false by images'),
    rounding: z
      .enum(['nearest', 'stochastic'])
      .optional()
      .describe(
        'of repeat factors: to whole numbers, or by chance; absent: nearest by label mass, else chance',
      ),
  })
  .transform((given) => {
    const defaults =
      given.frequency === 'label-mass'
        ? ({ threshold: 0.01, cap: 10, rounding: 'nearest' } as const)
        : ({ threshold: 0.001, cap: false, rounding: 'stochastic' } as const);
    const { threshold = defaults.threshold, cap = defaults.cap, rounding = defaults.rounding } = given;
    return { name: given.name, frequency: given.frequency, threshold, cap, rounding };
  });

const classDrawFields = {
  epochFactor: z
    .number()
    .positive()
    .max(100)
    .default(1)
    .describe('visits of an epoch, as a multiple of the training images'),
  withoutPositives: z
    .enum(['class', 'never'])
    .default('class')
    .describe('images without a positive label: drawn as one class more, or never'),
};

const classAwareSchema = z.strictObject({ name: z.literal('class-aware'), ...classDrawFields });
const squareRootSchema = z.strictObject({ name: z.literal('square-root'), ...classDrawFields });

export const samplerSchema = z.union([
  shuffledSchema,
  repeatFactorSchema,
  classAwareSchema,
  squareRootSchema,
]);

/** A sampler's name and all of its settings. */
export type SamplerChoice = z.infer<typeof samplerSchema>;

/** In the order in which they are listed for people. */
export const SAMPLER_NAMES = ['shuffled', 'repeat-factor', 'class-aware', 'square-root'] as const;

/**
 * The sampler over these samples.
 * @param seed of its draws; the same seed gives the same epochs
 * @throws SamplerError when it would leave nothing to visit
 */
export function createSampler(choice: SamplerChoice, samples: LabelledSamples, seed: number): Sampler {
  switch (choice.name) {
    case 'shuffled':
      return shuffledSampler(samples.length, seed);
    case 'repeat-factor':
      return weightedSampler(repeatFactorVisits(samples, choice), seed);
    case 'class-aware':
      return weightedSampler(classDrawVisits(samples, { ...choice, power: 0 }), seed);
    case 'square-root':
      return weightedSampler(classDrawVisits(samples, { ...choice, power: 0.5 }), seed);
  }
}

/** `repeat-factor (frequency label-mass, threshold 0.01, cap 10, rounding nearest)` */
export function describeSampler(choice: SamplerChoice): string {
  const { name, ...settings } = choice;
  const texts = Object.entries(settings).map(([key, value]) => `${key} ${value === false ? 'none' : value}`);
  return texts.length === 0 ? name : `${name} (${texts.join(', ')})`;
}
