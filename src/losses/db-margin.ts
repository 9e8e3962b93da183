import { z } from 'zod';
import { inverseEffectiveNumbers, requireCounts, withMeanOne } from './define/class-statistics.js';
import { defineLoss } from './define/define-loss.js';
import { logistic } from './define/logistic.js';

const parameters = z.strictObject({
  beta: z.number().min(0).lt(1).default(0.9999).describe('β of the effective number of positives'),
  power: z.number().min(0).max(4).default(0.5).describe('exponent of the class weight'),
  maxMargin: z
    .number()
    .min(0)
    .max(16)
    .default(0.2)
    .describe('margin of the most frequent class; the rarest has none'),
});

/**
 * The loss of stage 2 of arXiv 2602.13430, which its code calls distribution-balanced; a variant that shares with
 * Wu et al.'s (see db.ts) little but the aim. With the inverse effective number
 * e_c = (1 − β)/(1 − β^n_c), divided by its mean over the classes, and a margin m_c = maxMargin·minmax(1/(e_c + 1e-6)),
 * which runs from 0 for the rarest class to its largest for the most frequent:
 *
 * L = e_c^power·[y·softplus(−(x − m_c)) + (1 − y)·softplus(x)],
 * dL/dx = e_c^power·[(1 − y)·p − y·(1 − σ(x − m_c))]. A soft target mixes the two terms.
 *
 * The code's options for negatives (a scale and a margin of their own) are off in the recipe and left out here.
 */
export const dbMargin = defineLoss({
  name: 'db-margin',
  summary: 'cross-entropy weighted by effective number, with a margin for frequent classes',
  source: 'arXiv 2602.13430 (its code)',
  parameters,
  classConstants: {
    names: ['margin', 'weight'],
    values({ beta, power, maxMargin }, statistics) {
      const rarity = withMeanOne(inverseEffectiveNumbers(requireCounts('db-margin', statistics), beta));
      const inverse = rarity.map((e) => 1 / (e + 1e-6));
      const [least, most] = [Math.min(...inverse), Math.max(...inverse)];
      return {
        margin: inverse.map((each) => (most > least ? (maxMargin * (each - least)) / (most - least) : 0)),
        weight: rarity.map((e) => e ** power),
      };
    },
  },
  wgsl: () => `fn loss(x: f32, y: f32, margin: f32, weight: f32) -> vec2f {
  let u = logistic(x - margin);
  let s = logistic(x);
  return weight * vec2f(y * u.minusLogP + (1.0 - y) * s.minusLogQ, (1.0 - y) * s.p - y * u.q);
}`,
  reference(_parameters, x, y, { margin, weight }) {
    const u = logistic(x - margin);
    const { p, minusLogQ } = logistic(x);
    return {
      value: weight * (y * u.minusLogP + (1 - y) * minusLogQ),
      slope: weight * ((1 - y) * p - y * u.q),
    };
  },
  flops: 76,
});
