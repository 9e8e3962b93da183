import { z } from 'zod';
import { literal } from '../kernels/pointwise/expression.js';
import { defineLoss } from './define/define-loss.js';
import { logistic, powerWgsl } from './define/logistic.js';

const parameters = z.strictObject({
  gammaNeg: z.number().min(0).max(32).default(4).describe('γ₋: how fast easy negatives lose weight'),
  gammaPos: z.number().min(0).max(32).default(0).describe('γ₊: how fast easy positives lose weight'),
  margin: z
    .number()
    .gt(0)
    .max(0.5)
    .default(0.05)
    .describe('m: a negative with a probability below it costs nothing'),
  lambda: z
    .number()
    .min(1)
    .max(4)
    .default(1.5)
    .describe('λ: the Hill term’s; lower pulls likely missed negatives less'),
  eps: z
    .number()
    .min(0)
    .max(0.5)
    .default(1e-8)
    .describe('floor of a positive’s probability inside the logarithm; 0: none'),
});

/**
 * Robust asymmetric loss (Park et al. 2023, arXiv 2308.05542, as its code has it): ASL with its logarithm expanded for positives and
 * a Hill term for negatives. With a = 1 − p, q = min(1 − p + m, 1), s = 1 − q:
 *
 * L₊ = −a^γ₊·[log p + a − 1.25·a²], dL₊/dx = −a^γ₊·(a²(1 + 2.5 p) − γ₊ p [log p + a − 1.25 a²]);
 * L₋ = s^γ₋·(−log q)·(λ − p)·p²·(λ − q), whose slope is p(1−p) times the sum of
 * s^(γ₋−1)·γ₋·c·h·k, s^γ₋·h·k/q, s^γ₋·c·p(2λ − 3p)·k and s^γ₋·c·h, with c = −log q, h = (λ − p)p², k = λ − q.
 *
 * A soft target mixes the two terms. As in asl.ts, −log p stops growing at −log eps, and with it a positive's own slope.
 */
export const ral = defineLoss({
  name: 'ral',
  summary: 'ASL, expanded for positives and with a Hill term for negatives',
  source: 'Park et al. 2023, arXiv 2308.05542',
  parameters,
  wgsl({ gammaNeg, gammaPos, margin, lambda, eps }) {
    const limit = literal(eps > 0 ? -Math.log(eps) : 3e38);
    return `// −log(1 − a) − a, by its series where the two nearly cancel.
fn beyondLinear(minusLog: f32, a: f32) -> f32 {
  let series = a * a * (0.5 + a * (1.0 / 3.0 + a * (0.25 + a * (0.2 + a * (1.0 / 6.0 + a * (1.0 / 7.0))))));
  return select(minusLog - a, series, a < 0.0625);
}
fn loss(x: f32, y: f32) -> vec2f {
  let u = logistic(x);
  let p = u.p;
  let a = u.q;
  let open = u.minusLogP < ${limit};
  let gain = beyondLinear(min(u.minusLogP, ${limit}), a) + 1.25 * a * a;
  let up = y * ${powerWgsl('a', gammaPos)};
  let pull = select(0.0, a * a * (1.0 + 2.5 * p), open) + ${literal(gammaPos)} * p * gain;
  let s = max(p - ${literal(margin)}, 0.0);
  let q = min(a + ${literal(margin)}, 1.0);
  let cost = select(-log(q), -log1p(-min(s, 0.5)), s <= 0.5);
  let h = (${literal(lambda)} - p) * p * p;
  let k = ${literal(lambda)} - q;
  let down = (1.0 - y) * ${powerWgsl('s', gammaNeg)};
  let push = p * a * (
    ${literal(gammaNeg)} * cost * h * k / max(s, 1e-30) + h * k / q + cost * p * (${literal(2 * lambda - 3)} + 3.0 * a) * k + cost * h
  );
  return vec2f(up * gain + down * cost * h * k, select(0.0, down * push, s > 0.0) - up * pull);
}`;
  },
  reference({ gammaNeg, gammaPos, margin, lambda, eps }, x, y) {
    const { p, q: a, minusLogP } = logistic(x);
    const limit = eps > 0 ? -Math.log(eps) : Number.POSITIVE_INFINITY;
    const gain = beyondLinear(Math.min(minusLogP, limit), a) + 1.25 * a * a;
    const up = y * a ** gammaPos;
    const pull = (minusLogP < limit ? a * a * (1 + 2.5 * p) : 0) + gammaPos * p * gain;
    const s = Math.max(p - margin, 0);
    const q = Math.min(a + margin, 1);
    const cost = -Math.log1p(-s);
    const h = (lambda - p) * p * p;
    const k = lambda - q;
    const down = (1 - y) * s ** gammaNeg;
    const push =
      s > 0
        ? p *
          a *
          ((gammaNeg * cost * h * k) / s + (h * k) / q + cost * p * (2 * lambda - 3 + 3 * a) * k + cost * h)
        : 0;
    return { value: up * gain + down * cost * h * k, slope: down * push - up * pull };
  },
  flops: 120,
});

/** −log(1 − a) − a. */
function beyondLinear(minusLog: number, a: number): number {
  if (a >= 1e-3) return minusLog - a;
  return a * a * (1 / 2 + a * (1 / 3 + a * (1 / 4 + a * (1 / 5))));
}
