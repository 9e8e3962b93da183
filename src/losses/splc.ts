import { z } from 'zod';
import { literal } from '../kernels/pointwise/expression.js';
import { defineLoss } from './define/define-loss.js';
import { logistic, powerWgsl } from './define/logistic.js';

const parameters = z.strictObject({
  tau: z
    .number()
    .gt(0)
    .lt(1)
    .default(0.6)
    .describe('τ: a negative with a higher probability counts as positive'),
  changeEpoch: z.number().min(0).default(1).describe('epochs of training before any label is corrected'),
  margin: z.number().min(0).max(16).default(1).describe('m: positives are judged at the logit x − m'),
  gamma: z.number().min(0).max(32).default(2).describe('how fast easy entries lose weight'),
});

/**
 * Self-paced loss correction (SPLC; Zhang et al. 2021, arXiv 2112.07368): focal loss with a margin for positives,
 * L₊ = (1 − p')^γ·(−log p') at p' = σ(x − m), L₋ = p^γ·(−log(1 − p)); once `changeEpoch` epochs are complete, a negative
 * with p > τ costs (1 − p)^γ·(−log p) instead, as a positive that was missed. As in the authors' code, such a one is
 * judged without the margin. A soft target mixes L₊ and L₋, the latter corrected or not.
 *
 * dL₊/dx = −(1−p')^γ (γ p' (−log p') + 1 − p'), dL₋/dx = p^γ (γ (1−p) (−log(1−p)) + p).
 */
export const splc = defineLoss({
  name: 'splc',
  summary: 'after the first epoch, confident negatives count as missed positives',
  source: 'Zhang et al. 2021, arXiv 2112.07368',
  parameters,
  hardLabels: true,
  schedule: {
    names: ['correcting'],
    values: ({ changeEpoch }, { epoch }) => ({ correcting: epoch >= changeEpoch ? 1 : 0 }),
  },
  wgsl(given) {
    const gamma = literal(given.gamma);
    return `fn loss(x: f32, y: f32, correcting: f32) -> vec2f {
  let u = logistic(x - ${literal(given.margin)});
  let s = logistic(x);
  let p = s.p;
  let q = s.q;
  let up = y * ${powerWgsl('u.q', given.gamma)};
  let missed = correcting > 0.0 && x > ${literal(threshold(given.tau))};
  let raised = vec2f(s.minusLogP, -(${gamma} * p * s.minusLogP + q)) * ${powerWgsl('q', given.gamma)};
  let lowered = vec2f(s.minusLogQ, ${gamma} * q * s.minusLogQ + p) * ${powerWgsl('p', given.gamma)};
  return up * vec2f(u.minusLogP, -(${gamma} * u.p * u.minusLogP + u.q)) + (1.0 - y) * select(lowered, raised, missed);
}`;
  },
  reference({ tau, margin, gamma }, x, y, { correcting }) {
    const u = logistic(x - margin);
    const { p, q, minusLogP, minusLogQ } = logistic(x);
    const up = y * u.q ** gamma;
    const missed = correcting > 0 && x > threshold(tau);
    const weight = missed ? q ** gamma : p ** gamma;
    const cost = missed ? minusLogP : minusLogQ;
    const pull = missed ? -(gamma * p * minusLogP + q) : gamma * q * minusLogQ + p;
    return {
      value: up * u.minusLogP + (1 - y) * weight * cost,
      slope: (1 - y) * weight * pull - up * (gamma * u.p * u.minusLogP + u.q),
    };
  },
  flops: 110,
});

/** The logit of τ, as f32 has it: both twins must judge an entry at it alike. */
function threshold(tau: number): number {
  return Math.fround(Math.log(tau / (1 - tau)));
}
