import { z } from 'zod';
import { literal } from '../kernels/pointwise/expression.js';
import { defineLoss } from './define/define-loss.js';
import { logistic, powerWgsl } from './define/logistic.js';
import type { ValueAndSlope } from './define/loss.js';

export const aslParameters = z.strictObject({
  gammaNeg: z.number().min(0).max(32).default(4).describe('γ₋: how fast easy negatives lose weight'),
  gammaPos: z.number().min(0).max(32).default(1).describe('γ₊: how fast easy positives lose weight'),
  margin: z
    .number()
    .min(0)
    .max(0.5)
    .default(0.05)
    .describe('m: a negative with a probability below it costs nothing'),
  eps: z.number().min(0).max(0.5).default(1e-8).describe('floor of the probabilities inside the logarithms'),
  detachFocus: z
    .boolean()
    .default(false)
    .describe(
      "treat the focusing weight as a constant in the gradient, as the authors' `disable_torch_grad_focal_loss`",
    ),
});

type Parameters = z.output<typeof aslParameters>;

/**
 * Asymmetric loss (Ridnik et al. 2021, arXiv 2009.14119, eqs. 4–7): positives and negatives are focused differently, and
 * probabilities of negatives are shifted down by a margin:
 * L = −[y (1−p)^γ₊ log p + (1−y) p_m^γ₋ log(1 − p_m)], p_m = max(p − m, 0).
 *
 * The official form takes log max(p, eps) and log max(1 − p_m, eps). Here the logarithms come from the logit, exact at
 * any p, and eps enters as what it means: −log p and −log(1 − p_m) stop growing at −log eps (18.4 for 1e-8), where
 * their own gradient ends and only that of the focusing weight remains. eps 0: no such limit.
 *
 * Writing ℓ for the (limited) −log: dL₊/dx = −(1−p)^γ₊ (γ₊ p ℓ + (1−p)·[not limited]) and
 * dL₋/dx = p_m^γ₋ p (1−p) (γ₋ ℓ/p_m + 1/(1−p_m)·[not limited]); without focus gradient the γ terms are left out. A soft
 * target mixes the two terms.
 */
export const asl = defineLoss({
  name: 'asl',
  summary: 'asymmetric focusing, and a margin below which negatives cost nothing',
  source: 'Ridnik et al. 2021, arXiv 2009.14119',
  parameters: aslParameters,
  wgsl: (given) => aslWgsl(given),
  reference: aslReference,
  partialGradient: ({ detachFocus }) => detachFocus,
  flops: 80,
});

/**
 * The formula in WGSL.
 * @param logit what stands for x in it, of the arguments x, y and `others`
 */
export function aslWgsl(given: Parameters, logit = 'x', others: readonly string[] = []): string {
  const { gammaNeg, gammaPos, margin } = given;
  const [up, down] = focusGradients(given).map(literal);
  const limit = literal(largestLog(given));
  // Without a margin p_m = p, and dividing p (1−p) by p_m or 1−p_m would divide by what rounding made 0.
  const negative =
    margin > 0
      ? `
  let shifted = max(p - ${literal(margin)}, 0.0);
  let rest = min(q + ${literal(margin)}, 1.0);
  let raw = select(-log(rest), -log1p(-min(shifted, 0.5)), shifted <= 0.5);
  let cost = min(raw, ${limit});
  let pull = ${down} * p * q * cost / max(shifted, 1e-30);
  let drift = p * q / rest;
  let reached = shifted > 0.0;`
      : `
  let shifted = p;
  let raw = s.minusLogQ;
  let cost = min(raw, ${limit});
  let pull = ${down} * q * cost;
  let drift = p;
  let reached = true;`;
  const names = ['x', 'y', ...others].map((name) => `${name}: f32`);
  return `fn loss(${names.join(', ')}) -> vec2f {
  let s = logistic(${logit});
  let p = s.p;
  let q = s.q;
  let gain = min(s.minusLogP, ${limit});
  let positiveFocus = y * ${powerWgsl('q', gammaPos)};
  let positiveSlope = ${up} * p * gain + select(0.0, q, s.minusLogP < ${limit});
${negative}
  let negativeFocus = (1.0 - y) * ${powerWgsl('shifted', gammaNeg)};
  let negativeSlope = select(0.0, pull + select(0.0, drift, raw < ${limit}), reached);
  return vec2f(
    positiveFocus * gain + negativeFocus * cost,
    negativeFocus * negativeSlope - positiveFocus * positiveSlope,
  );
}`;
}

/** The same in float64. */
export function aslReference(given: Parameters, x: number, y: number): ValueAndSlope {
  const { gammaNeg, gammaPos, margin } = given;
  const [up, down] = focusGradients(given);
  const limit = largestLog(given);
  const { p, q, minusLogP, minusLogQ } = logistic(x);
  const gain = Math.min(minusLogP, limit);
  const positiveFocus = y * q ** gammaPos;
  const positiveSlope = up * p * gain + (minusLogP < limit ? q : 0);
  const shifted = margin > 0 ? Math.max(p - margin, 0) : p;
  const raw = margin > 0 ? -Math.log1p(-shifted) : minusLogQ;
  const cost = Math.min(raw, limit);
  const pull = margin > 0 ? (down * p * q * cost) / shifted : down * q * cost;
  const drift = margin > 0 ? (p * q) / (1 - shifted) : p;
  const negativeFocus = (1 - y) * shifted ** gammaNeg;
  const negativeSlope = shifted > 0 ? pull + (raw < limit ? drift : 0) : 0;
  return {
    value: positiveFocus * gain + negativeFocus * cost,
    slope: negativeFocus * negativeSlope - positiveFocus * positiveSlope,
  };
}

/** γ₊ and γ₋ as factors of the focusing weights' own gradients. */
function focusGradients({ gammaPos, gammaNeg, detachFocus }: Parameters): [up: number, down: number] {
  return detachFocus ? [0, 0] : [gammaPos, gammaNeg];
}

/** −log eps; without eps more than any finite logit gives. */
function largestLog({ eps }: Parameters): number {
  return eps > 0 ? -Math.log(eps) : 3e38;
}
