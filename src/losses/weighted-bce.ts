import { z } from 'zod';
import { requireCounts } from './define/class-statistics.js';
import { defineLoss } from './define/define-loss.js';
import { logistic } from './define/logistic.js';

const parameters = z.strictObject({
  form: z
    .enum(['balanced', 'exponential'])
    .default('balanced')
    .describe(
      'balanced: positives weigh (N − n)/n; exponential: positives weigh exp(1 − π), negatives exp(π)',
    ),
});

/**
 * Binary cross-entropy with class weights from the training labels: L = w₊·y·softplus(−x) + w₋·(1 − y)·softplus(x),
 * dL/dx = w₋·(1 − y)·p − w₊·y·(1 − p). A soft target mixes the two terms.
 *
 * `balanced`: w₊ = (N − n)/n, w₋ = 1, so that positives and negatives of a class weigh the same in sum. `exponential`:
 * w₊ = e^(1−π), w₋ = e^π with π = n/N (CheXFusion, Kim 2023, arXiv 2308.03968).
 */
export const weightedBce = defineLoss({
  name: 'weighted-bce',
  summary: 'binary cross-entropy with class weights from the training labels',
  source: 'textbook; Kim 2023 (CheXFusion), arXiv 2308.03968',
  parameters,
  classConstants: {
    names: ['positiveWeight', 'negativeWeight'],
    values({ form }, statistics) {
      const { positives, negatives } = requireCounts('weighted-bce', statistics);
      const ratio = positives.map((count, c) => (negatives[c] ?? 1) / count);
      if (form === 'balanced') return { positiveWeight: ratio, negativeWeight: ratio.map(() => 1) };
      const prevalence = ratio.map((r) => 1 / (1 + r));
      return {
        positiveWeight: prevalence.map((share) => Math.exp(1 - share)),
        negativeWeight: prevalence.map(Math.exp),
      };
    },
  },
  wgsl: () => `fn loss(x: f32, y: f32, positiveWeight: f32, negativeWeight: f32) -> vec2f {
  let s = logistic(x);
  let up = positiveWeight * y;
  let down = negativeWeight * (1.0 - y);
  return vec2f(up * s.minusLogP + down * s.minusLogQ, down * s.p - up * s.q);
}`,
  reference(_parameters, x, y, { positiveWeight, negativeWeight }) {
    const { p, q, minusLogP, minusLogQ } = logistic(x);
    const up = positiveWeight * y;
    const down = negativeWeight * (1 - y);
    return { value: up * minusLogP + down * minusLogQ, slope: down * p - up * q };
  },
  flops: 42,
});
