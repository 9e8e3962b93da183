import { z } from 'zod';
import { literal } from '../kernels/pointwise/expression.js';
import { logOdds, requireCounts } from './define/class-statistics.js';
import { defineLoss } from './define/define-loss.js';
import { logistic } from './define/logistic.js';

const parameters = z.strictObject({
  tau: z.number().min(0).max(10).default(1).describe('τ: how much of the prior is added'),
});

/**
 * Logit-adjusted cross-entropy (Menon et al. 2021, arXiv 2007.07314, eq. 10) in its sigmoid form:
 * L = y·softplus(−z) + (1 − y)·softplus(z) with z = x + τ·log(π/(1 − π)), π = n_c/N; dL/dx = σ(z) − y.
 *
 * The prior is added in training only: the network learns what speaks for a class beyond its frequency, and its logits
 * are used as they are. Without it in training, the same is had afterwards by subtracting it: see
 * src/eval/logit-adjustment.ts.
 */
export const logitAdjusted = defineLoss({
  name: 'logit-adjusted',
  summary: 'binary cross-entropy after adding the class prior to the logit',
  source: 'Menon et al. 2021, arXiv 2007.07314',
  parameters,
  classConstants: {
    names: ['logOdds'],
    values: (_parameters, statistics) => ({ logOdds: logOdds(requireCounts('logit-adjusted', statistics)) }),
  },
  wgsl: ({ tau }) => `fn loss(x: f32, y: f32, logOdds: f32) -> vec2f {
  let s = logistic(x + ${literal(tau)} * logOdds);
  return vec2f(y * s.minusLogP + (1.0 - y) * s.minusLogQ, (1.0 - y) * s.p - y * s.q);
}`,
  reference({ tau }, x, y, { logOdds }) {
    const { p, q, minusLogP, minusLogQ } = logistic(x + tau * logOdds);
    return { value: y * minusLogP + (1 - y) * minusLogQ, slope: (1 - y) * p - y * q };
  },
  flops: 42,
});
