import { z } from 'zod';
import { literal } from '../kernels/pointwise/expression.js';
import { definePairLoss, memoryParameter } from './define/define-pair-loss.js';
import { logistic } from './define/logistic.js';
import { sumClasses } from './define/pair-reference.js';

const parameters = z.strictObject({
  temperature: z
    .number()
    .min(0.001)
    .max(100)
    .default(0.5)
    .describe(
      'τ, in logits: how far apart two scores are when the higher one counts as such; towards 0, the loss is 1 − AP',
    ),
  memory: memoryParameter,
});

/**
 * Smooth-AP (Brown et al. 2020, arXiv 2007.12163): one minus the average precision of a class over the batch, in
 * which the step "is j ranked above i?" is σ_ji = σ((x_j − x_i)/τ). With p and n an image's weights as a positive and as a
 * negative, P = Σ p, and
 *
 *     A_i = p_i + Σ_{j≠i} p_j σ_ji,   B_i = n_i + Σ_{j≠i} n_j σ_ji,   L = 1/P · Σ_i p_i · B_i/(A_i + B_i),
 *
 * which for hard labels is 1 − 1/|S_P| · Σ_i R(i, S_P)/R(i, S). Its value is the mean over the classes that have positives
 * and negatives. The paper's scores are cosines, with τ = 0.01; here they are logits, which spread a hundred times wider.
 *
 * With u = p·A/(A + B)², v = p·B/(A + B)² and σ' = σ_kj(1 − σ_kj), which is the same either way round:
 * dL/dx_k = 1/(P·τ) · Σ_j σ'·(n_k u_j − n_j u_k + p_j v_k − p_k v_j).
 *
 * A soft target is a positive with weight y and a negative with weight 1 − y at the same score; a sample weight multiplies
 * both, as scikit-learn's `sample_weight` does.
 */
export const smoothAp = definePairLoss({
  name: 'smooth-ap',
  summary: 'average precision of each class within the batch, its ranks made smooth',
  source: 'Brown et al. 2020, arXiv 2007.12163',
  parameters,
  wgsl: ({ temperature }) => `
const TAU = ${literal(temperature)};
// σ((j − i)/τ) and its derivative by that
fn above(i: f32, j: f32) -> vec2f {
  let d = (j - i) / TAU;
  let e = exp(-min(abs(d), 100.0));
  let r = 1.0 / (1.0 + e);
  return vec2f(select(e * r, r, d >= 0.0), e * r * r);
}
fn compared(i: Image, j: Image) -> vec2f { return above(i.x, j.x).x * vec2f(j.p, j.n); }
fn own(i: Image) -> vec2f { return vec2f(i.p, i.n); }
fn settled(i: Image, sums: vec2f) -> vec3f {
  let share = i.p / (sums.x + sums.y);
  return vec3f(share * sums.y, share * sums / (sums.x + sums.y));
}
fn slope(k: Image, keptK: vec2f, j: Image, keptJ: vec2f) -> f32 {
  let moved = (k.n * keptJ.x - j.n * keptK.x) + (j.p * keptK.y - k.p * keptJ.y);
  return above(k.x, j.x).y * moved / TAU;
}
fn scaleOf(p: f32, n: f32) -> f32 { return 1.0 / p; }
`,
  reference: ({ temperature }, batch) =>
    sumClasses(batch, (images, { p: positives }) => {
      let cost = 0;
      const slopes = new Float64Array(images.length);
      for (const [i, one] of images.entries()) {
        if (one.p === 0) continue;
        const above = images.map(({ x }) => logistic((x - one.x) / temperature));
        let [a, b] = [one.p, one.n];
        for (const [j, other] of images.entries()) {
          if (i === j) continue;
          a += other.p * (above[j]?.p ?? Number.NaN);
          b += other.n * (above[j]?.p ?? Number.NaN);
        }
        cost += (one.p / positives) * (b / (a + b));
        // each rank moves one logit up and that of image i down
        const [u, v] = [(one.p * a) / (a + b) ** 2, (one.p * b) / (a + b) ** 2];
        for (const [j, other] of images.entries()) {
          const { p, q } = above[j] ?? { p: Number.NaN, q: Number.NaN };
          const slope = i === j ? 0 : ((other.n * u - other.p * v) * p * q) / (temperature * positives);
          slopes[j] = (slopes[j] ?? 0) + slope;
          slopes[i] = (slopes[i] ?? 0) - slope;
        }
      }
      return { cost, slopes };
    }),
  flops: 60,
});
