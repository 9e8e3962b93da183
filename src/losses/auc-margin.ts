import { z } from 'zod';
import { literal } from '../kernels/pointwise/expression.js';
import { definePairLoss, memoryParameter } from './define/define-pair-loss.js';
import { sumClasses } from './define/pair-reference.js';

const parameters = z.strictObject({
  margin: z
    .number()
    .positive()
    .max(100)
    .default(1)
    .describe('m, in logits: how far above every negative a positive should be'),
  memory: memoryParameter,
});

/**
 * AUC margin loss: one minus AUROC is the share of pairs in which the negative is ranked above the positive, and here each
 * pair costs a squared hinge instead. With p and n an image's weights as a positive and as a negative, P = Σ p, N = Σ n:
 *
 *     L = 1/(P·N) · Σ_i Σ_j p_i n_j h_ij²,   h_ij = max(0, m − x_i + x_j),
 *     dL/dx_k = 2/(P·N) · Σ_j (n_k p_j h_jk − p_k n_j h_kj),
 *
 * the mean over the classes that have positives and negatives. Yuan et al. 2021 (arXiv 2012.03173) reach the same margin
 * between classes over a whole data set, by a min-max problem whose further variables stand for the pairs; this is the sum over
 * the pairs of a batch, of logits instead of probabilities.
 */
export const aucMargin = definePairLoss({
  name: 'auc-margin',
  summary: 'every positive of a class a margin above every negative in the batch',
  source: 'after Yuan et al. 2021, arXiv 2012.03173',
  parameters,
  wgsl: ({ margin }) => `
fn hinge(positive: f32, negative: f32) -> f32 { return max(${literal(margin)} - positive + negative, 0.0); }
fn compared(i: Image, j: Image) -> vec2f {
  let h = hinge(i.x, j.x);
  return vec2f(j.n * h * h, 0.0);
}
fn own(i: Image) -> vec2f { return vec2f(i.n * ${literal(margin * margin)}, 0.0); }
fn settled(i: Image, sums: vec2f) -> vec3f { return vec3f(i.p * sums.x, 0.0, 0.0); }
fn slope(k: Image, keptK: vec2f, j: Image, keptJ: vec2f) -> f32 {
  return 2.0 * (k.n * j.p * hinge(j.x, k.x) - k.p * j.n * hinge(k.x, j.x));
}
fn scaleOf(p: f32, n: f32) -> f32 { return 1.0 / (p * n); }
`,
  reference: ({ margin }, batch) =>
    sumClasses(batch, (images, { p, n }) => {
      let cost = 0;
      const slopes = new Float64Array(images.length);
      for (const [i, positive] of images.entries()) {
        if (positive.p === 0) continue;
        for (const [j, negative] of images.entries()) {
          const weight = (positive.p * negative.n) / (p * n);
          const h = Math.max(0, margin - positive.x + negative.x);
          cost += weight * h * h;
          slopes[j] = (slopes[j] ?? 0) + 2 * weight * h;
          slopes[i] = (slopes[i] ?? 0) - 2 * weight * h;
        }
      }
      return { cost, slopes };
    }),
  flops: 20,
});
