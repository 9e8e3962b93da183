import { z } from 'zod';
import { literal } from '../kernels/pointwise/expression.js';
import { defineLoss } from './define/define-loss.js';
import { logistic, powerWgsl } from './define/logistic.js';

const parameters = z.strictObject({
  gamma: z
    .number()
    .min(0)
    .max(32)
    .default(2)
    .describe('how fast easy entries lose weight; 0 is plain cross-entropy'),
  alpha: z
    .union([z.number().min(0).max(1), z.literal(false), z.null()])
    .default(0.25)
    .describe('weight of positives, negatives having 1 − alpha; false or null: both 1'),
});

type Parameters = z.output<typeof parameters>;

/**
 * Focal loss (Lin et al. 2017, arXiv 1708.02002, eq. 5): FL = −α_t (1 − p_t)^γ log p_t, that is
 * L₊ = α (1−p)^γ softplus(−x), dL₊/dx = −α (1−p)^γ (γ p softplus(−x) + 1 − p), and the mirror image for negatives.
 * A soft target y mixes the two: L = y·L₊ + (1 − y)·L₋.
 */
export const focal = defineLoss({
  name: 'focal',
  summary: 'cross-entropy with easy entries weighted down',
  source: 'Lin et al. 2017, arXiv 1708.02002',
  parameters,
  wgsl(given) {
    const [positive, negative] = balance(given).map(literal);
    const gamma = literal(given.gamma);
    return `fn loss(x: f32, y: f32) -> vec2f {
  let s = logistic(x);
  let p = s.p;
  let q = s.q;
  let up = y * ${positive} * ${powerWgsl('q', given.gamma)};
  let down = (1.0 - y) * ${negative} * ${powerWgsl('p', given.gamma)};
  return vec2f(
    up * s.minusLogP + down * s.minusLogQ,
    down * (${gamma} * q * s.minusLogQ + p) - up * (${gamma} * p * s.minusLogP + q),
  );
}`;
  },
  reference(given, x, y) {
    const { gamma } = given;
    const [positive, negative] = balance(given);
    const { p, q, minusLogP, minusLogQ } = logistic(x);
    const up = y * positive * q ** gamma;
    const down = (1 - y) * negative * p ** gamma;
    return {
      value: up * minusLogP + down * minusLogQ,
      slope: down * (gamma * q * minusLogQ + p) - up * (gamma * p * minusLogP + q),
    };
  },
  flops: 60,
});

/** Weights of positives and negatives. */
function balance({ alpha }: Parameters): [positive: number, negative: number] {
  return typeof alpha === 'number' ? [alpha, 1 - alpha] : [1, 1];
}
