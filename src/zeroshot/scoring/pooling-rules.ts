import { z } from 'zod';
import { defineRule } from './rule.js';
import { ScoringError } from './scoring-error.js';

/** Rules by which the similarities of an image to several prompts become one number. */

export const mean = defineRule({
  name: 'mean',
  summary: 'mean similarity over the prompts',
  source: 'arXiv 2602.13430, task 2',
  kind: 'pooling',
  canChangeRanking: false,
  parameters: z.strictObject({}),
  step: () => ({ kind: 'pooling', pool: (similarities) => meanOf(similarities) }),
});

/**
 * cos(f, m) with m the mean of the prompts' unit embeddings: (Σ cos(f, t_k) / K) / |m|. The length of m is the same for all
 * images, so that this is `mean` times a factor of the class.
 */
export const meanEmbedding = defineRule({
  name: 'mean-embedding',
  summary: 'similarity to the mean of the prompt embeddings: mean, times a factor for each class',
  source: 'Radford et al. 2021 (CLIP), 3.1.4',
  kind: 'pooling',
  canChangeRanking: false,
  parameters: z.strictObject({}),
  step: () => ({
    kind: 'pooling',
    pool(similarities, { meanLength, place }) {
      if (meanLength > 1e-6) return meanOf(similarities) / meanLength;
      throw new ScoringError(
        `${place}: the prompt embeddings cancel each other, so their mean has no direction.`,
      );
    },
  }),
});

export const max = defineRule({
  name: 'max',
  summary: 'similarity to the nearest prompt',
  source: 'definition',
  kind: 'pooling',
  canChangeRanking: true,
  parameters: z.strictObject({}),
  step: () => ({ kind: 'pooling', pool: (similarities) => maxOf(similarities) }),
});

export const logSumExp = defineRule({
  name: 'log-sum-exp',
  summary: 'T·log(mean of exp(similarity / T)): between max (T near 0) and mean (T large)',
  source: 'definition',
  kind: 'pooling',
  canChangeRanking: true,
  parameters: z.strictObject({
    temperature: z
      .number()
      .min(1e-4)
      .max(100)
      .default(0.05)
      .describe('T: the lower, the more the nearest prompt counts'),
  }),
  step: ({ temperature }) => ({
    kind: 'pooling',
    pool(similarities) {
      const largest = maxOf(similarities);
      let sum = 0;
      for (const similarity of similarities) sum += Math.exp((similarity - largest) / temperature);
      return largest + temperature * Math.log(sum / similarities.length);
    },
  }),
});

const weight = z.number().nonnegative().optional();

export const groupWeights = defineRule({
  name: 'group-weights',
  summary: 'weighted mean over the groups of the mean similarity in each',
  source: 'definition',
  kind: 'pooling',
  canChangeRanking: true,
  parameters: z.strictObject({
    clinical: weight.describe('weight of the clinical wording; as in the file of prompts when absent'),
    appearance: weight.describe('weight of the appearance; likewise'),
    location: weight.describe('weight of the location; likewise'),
    terminology: weight.describe('weight of the terminology; likewise'),
  }),
  step: (given) => ({
    kind: 'pooling',
    pool(similarities, { groups, place }, layout) {
      // negative and neutral prompts have no groups
      if (groups.length === 1 && groups[0]?.name === '') return meanOf(similarities);
      const own: Readonly<Record<string, number | undefined>> = given;
      let [sum, total] = [0, 0];
      for (const { name, from, to } of groups) {
        const share = own[name] ?? layout.groupWeights[name] ?? 1;
        sum += share * meanOf(similarities.subarray(from, to));
        total += share;
      }
      if (total > 0) return sum / total;
      throw new ScoringError(
        `${place}: all its groups (${groups.map(({ name }) => name).join(', ')}) have weight 0; one must have more.`,
      );
    },
  }),
});

function meanOf(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

function maxOf(values: Float64Array): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (const value of values) if (value > largest) largest = value;
  return largest;
}
