import { z } from 'zod';
import { literal } from '../kernels/pointwise/expression.js';
import { defineLoss } from './define/define-loss.js';
import { logistic, powerWgsl } from './define/logistic.js';

const parameters = z.strictObject({
  lambda: z
    .number()
    .min(1)
    .max(4)
    .default(1.5)
    .describe('λ: negatives above p = 2λ/3 are pulled less, as likely missed'),
  margin: z.number().min(0).max(16).default(1).describe('m: positives are judged at the logit x − m'),
  gamma: z.number().min(0).max(32).default(2).describe('how fast easy positives lose weight'),
});

/**
 * Hill loss with a focal margin for positives (Zhang et al. 2021, arXiv 2112.07368):
 * L = −y·(1 − p')^γ·log p' + (1 − y)·(λ − p)·p², p' = σ(x − m). The slope of a negative falls again where p nears 1: such
 * a label is probably missing. A soft target mixes the two terms.
 *
 * dL₊/dx = −(1−p')^γ (γ p' (−log p') + 1 − p'), dL₋/dx = p² (1−p) (2λ − 3p).
 */
export const hill = defineLoss({
  name: 'hill',
  summary: 'negatives that look positive are taken for missed ones and pulled less',
  source: 'Zhang et al. 2021, arXiv 2112.07368',
  parameters,
  wgsl: ({ lambda, margin, gamma }) => `fn loss(x: f32, y: f32) -> vec2f {
  let u = logistic(x - ${literal(margin)});
  let s = logistic(x);
  let up = y * ${powerWgsl('u.q', gamma)};
  let down = (1.0 - y) * s.p * s.p;
  return vec2f(
    up * u.minusLogP + down * (${literal(lambda)} - s.p),
    down * s.q * (${literal(2 * lambda - 3)} + 3.0 * s.q) - up * (${literal(gamma)} * u.p * u.minusLogP + u.q),
  );
}`,
  reference({ lambda, margin, gamma }, x, y) {
    const u = logistic(x - margin);
    const { p, q } = logistic(x);
    const up = y * u.q ** gamma;
    const down = (1 - y) * p * p;
    return {
      value: up * u.minusLogP + down * (lambda - p),
      slope: down * q * (2 * lambda - 3 + 3 * q) - up * (gamma * u.p * u.minusLogP + u.q),
    };
  },
  flops: 80,
});
