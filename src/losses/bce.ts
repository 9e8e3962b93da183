import { z } from 'zod';
import { defineLoss } from './define/define-loss.js';
import { logistic } from './define/logistic.js';

const parameters = z.strictObject({
  posWeight: z
    .union([z.number().positive(), z.array(z.number().positive())])
    .default(1)
    .describe('w: how much more a positive counts than a negative: one number, or one a class'),
});

/**
 * Binary cross-entropy on logits: L = w·y·softplus(−x) + (1 − y)·softplus(x), dL/dx = (1 − y)·p − w·y·(1 − p), as
 * `torch.nn.BCEWithLogitsLoss(pos_weight=w)`. A soft target mixes the two terms. For weights from the training labels see
 * weighted-bce.ts.
 */
export const bce = defineLoss({
  name: 'bce',
  summary: 'binary cross-entropy, positives weighted or not',
  source: 'textbook',
  parameters,
  classConstants: {
    names: ['positiveWeight'],
    values: ({ posWeight }, { classes }) => ({
      positiveWeight:
        typeof posWeight === 'number' ? Array.from({ length: classes }, () => posWeight) : posWeight,
    }),
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
