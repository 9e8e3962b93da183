import { z } from 'zod';
import { literal } from '../kernels/pointwise/expression.js';
import { logOdds, requireCounts } from './define/class-statistics.js';
import { defineLoss } from './define/define-loss.js';
import { logistic, powerWgsl } from './define/logistic.js';

const parameters = z.strictObject({
  alpha: z.number().min(0).max(10).default(0.1).describe('α: least weight of an entry'),
  beta: z
    .number()
    .positive()
    .max(1000)
    .default(10)
    .describe('β: steepness of the map from rebalancing weight to weight'),
  mu: z.number().min(-10).max(10).default(0.2).describe('μ: rebalancing weight in the middle of that map'),
  lambda: z
    .number()
    .positive()
    .max(100)
    .default(2)
    .describe('λ: how much sharper, and lighter, negatives are'),
  kappa: z.number().min(0).max(10).default(0.05).describe('κ: how much of the class prior shifts the logits'),
  gamma: z.number().min(0).max(32).default(2).describe('how fast easy entries lose weight'),
  balance: z.number().positive().max(1000).default(2).describe('factor of the whole, with the focusing'),
});

/**
 * Distribution-balanced loss (Wu et al. 2020, arXiv 2007.09654: re-balanced weights by its eqs. 3 and 4, negative-tolerant
 * regularization, and focused as in the authors' code), with
 * the values for COCO as defaults; VOC has μ 0.3 and λ 5.
 *
 * - Rebalancing: an image is drawn once for each of its positives k, at a rate 1/n_k, so class c should weigh
 *   r = (1/n_c)/Σ_k 1/n_k of that, smoothed to r̂ = α + σ(β(r − μ)). An image without positives has an empty sum: there
 *   r̂ = α + 1, as the division by 0 gives in the authors' code.
 * - Negative-tolerant: z = x − (κ/λ)·log(N/n − 1), and negatives are judged at λz with a weight of 1/λ.
 * - Focused: both times balance·(1 − p_t)^γ, p_t at those logits.
 *
 * L = balance·[y·r̂·(1−p)^γ·softplus(−z) + (1−y)·(r̂/λ)·p̃^γ·softplus(λz)], p = σ(z), p̃ = σ(λz);
 * dL₊/dx = −balance·r̂·(1−p)^γ·(γ p softplus(−z) + 1 − p), dL₋/dx = balance·r̂·p̃^γ·(γ (1−p̃) softplus(λz) + p̃).
 *
 * A soft target mixes the two terms, and adds its share to the image's sum.
 */
export const distributionBalanced = defineLoss({
  name: 'db',
  summary: 'weights for drawing images by class, and a tolerance for negatives',
  source: 'Wu et al. 2020, arXiv 2007.09654',
  parameters,
  classConstants: {
    names: ['rate', 'shift'],
    values({ kappa, lambda }, statistics) {
      const counts = requireCounts('db', statistics);
      return {
        rate: counts.positives.map((count) => 1 / count),
        shift: logOdds(counts).map((odds) => (kappa / lambda) * odds),
      };
    },
  },
  row: {
    wgsl: () => 'fn rowTerm(y: f32, rate: f32, shift: f32) -> f32 { return y * rate; }',
    reference: (_parameters, y, { rate }) => y * rate,
  },
  wgsl({ alpha, beta, mu, lambda, gamma, balance }) {
    const focus = literal(gamma);
    return `fn loss(x: f32, y: f32, rate: f32, shift: f32, row: f32) -> vec2f {
  let mapped = logistic(${literal(beta)} * (rate / max(row, 1e-30) - ${literal(mu)})).p;
  let weight = ${literal(balance)} * (${literal(alpha)} + select(1.0, mapped, row > 0.0));
  let s = logistic(x + shift);
  let t = logistic(${literal(lambda)} * (x + shift));
  let up = weight * y * ${powerWgsl('s.q', gamma)};
  let down = weight * (1.0 - y) * ${powerWgsl('t.p', gamma)};
  return vec2f(
    up * s.minusLogP + down * ${literal(1 / lambda)} * t.minusLogQ,
    down * (${focus} * t.q * t.minusLogQ + t.p) - up * (${focus} * s.p * s.minusLogP + s.q),
  );
}`;
  },
  reference({ alpha, beta, mu, lambda, gamma, balance }, x, y, { rate, shift, row }) {
    const mapped = row > 0 ? logistic(beta * (rate / row - mu)).p : 1;
    const weight = balance * (alpha + mapped);
    const s = logistic(x + shift);
    const t = logistic(lambda * (x + shift));
    const up = weight * y * s.q ** gamma;
    const down = weight * (1 - y) * t.p ** gamma;
    return {
      value: up * s.minusLogP + (down / lambda) * t.minusLogQ,
      slope: down * (gamma * t.q * t.minusLogQ + t.p) - up * (gamma * s.p * s.minusLogP + s.q),
    };
  },
  flops: 130,
});
