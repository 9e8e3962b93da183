import { z } from 'zod';
import { literal } from '../kernels/pointwise/expression.js';
import { inverseEffectiveNumbers, requireCounts, withMeanOne } from './define/class-statistics.js';
import { defineLoss } from './define/define-loss.js';
import { logistic, powerWgsl } from './define/logistic.js';

const parameters = z.strictObject({
  beta: z.number().min(0).lt(1).default(0.9999).describe('β of the effective number of positives'),
  gamma: z.number().min(0).max(32).default(2).describe('how fast easy entries lose weight'),
});

/**
 * Class-balanced focal loss (Cui et al. 2019, arXiv 1901.05555, eq. 2 for the weight): L = w_c·(1 − p_t)^γ·(−log p_t), with
 * w_c ∝ (1 − β)/(1 − β^n_c) scaled so that the weights of all classes add up to C. The weight is the class's, for its
 * positives and its negatives. A soft target mixes the two.
 *
 * dL₊/dx = −w (1−p)^γ (γ p softplus(−x) + 1 − p), and the mirror image for negatives.
 */
export const cbFocal = defineLoss({
  name: 'cb-focal',
  summary: 'focal loss, classes weighted by their effective number of positives',
  source: 'Cui et al. 2019, arXiv 1901.05555',
  parameters,
  classConstants: {
    names: ['weight'],
    values: ({ beta }, statistics) => ({
      weight: withMeanOne(inverseEffectiveNumbers(requireCounts('cb-focal', statistics), beta)),
    }),
  },
  wgsl: ({ gamma }) => `fn loss(x: f32, y: f32, weight: f32) -> vec2f {
  let s = logistic(x);
  let p = s.p;
  let q = s.q;
  let up = weight * y * ${powerWgsl('q', gamma)};
  let down = weight * (1.0 - y) * ${powerWgsl('p', gamma)};
  return vec2f(
    up * s.minusLogP + down * s.minusLogQ,
    down * (${literal(gamma)} * q * s.minusLogQ + p) - up * (${literal(gamma)} * p * s.minusLogP + q),
  );
}`,
  reference({ gamma }, x, y, { weight }) {
    const { p, q, minusLogP, minusLogQ } = logistic(x);
    const up = weight * y * q ** gamma;
    const down = weight * (1 - y) * p ** gamma;
    return {
      value: up * minusLogP + down * minusLogQ,
      slope: down * (gamma * q * minusLogQ + p) - up * (gamma * p * minusLogP + q),
    };
  },
  flops: 62,
});
