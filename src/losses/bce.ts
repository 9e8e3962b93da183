import { z } from 'zod';
import { type ClassStatistics, defineLoss, requireCounts } from './define-loss.js';
import { logistic } from './logistic.js';

const parameters = z.strictObject({
  /**
   * w: how much more a positive counts than a negative: one number, one a class, or `balanced`: (N − n_c)/n_c from the
   * training labels (n_c = 0 is taken as 1: such a class has no positive to weight).
   */
  posWeight: z
    .union([z.number().positive(), z.array(z.number().positive()), z.literal('balanced')])
    .default(1),
});

/**
 * Binary cross-entropy on logits: L = w·y·softplus(−x) + (1 − y)·softplus(x), dL/dx = (1 − y)·p − w·y·(1 − p), as
 * `torch.nn.BCEWithLogitsLoss(pos_weight=w)`.
 */
export const bce = defineLoss({
  name: 'bce',
  summary: 'binary cross-entropy, positives weighted or not',
  source: 'textbook',
  parameters,
  classConstants: {
    names: ['positiveWeight'],
    values: ({ posWeight }, statistics) => ({ positiveWeight: weights(posWeight, statistics) }),
  },
  wgsl: () => `fn loss(x: f32, y: f32, positiveWeight: f32) -> vec2f {
  let s = logistic(x);
  let w = positiveWeight * y;
  return vec2f(w * s.minusLogP + (1.0 - y) * s.minusLogQ, (1.0 - y) * s.p - w * s.q);
}`,
  reference(_parameters, x, y, { positiveWeight }) {
    const { p, q, minusLogP, minusLogQ } = logistic(x);
    const w = positiveWeight * y;
    return { value: w * minusLogP + (1 - y) * minusLogQ, slope: (1 - y) * p - w * q };
  },
  flops: 40,
});

function weights(
  posWeight: z.output<typeof parameters>['posWeight'],
  statistics: ClassStatistics,
): readonly number[] {
  if (typeof posWeight === 'object') return posWeight;
  if (typeof posWeight === 'number') return Array.from({ length: statistics.classes }, () => posWeight);
  const { classCounts, samples } = requireCounts('bce', statistics);
  return classCounts.map((count) => (samples - count) / Math.max(count, 1));
}
