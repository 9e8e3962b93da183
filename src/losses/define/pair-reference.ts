import type { LossBatch, LossValue } from './loss.js';

/** A known image of a class: its logit, and its weights as a positive and as a negative. */
export interface ClassImage {
  readonly x: number;
  readonly p: number;
  readonly n: number;
}

/**
 * A loss that is a cost of each class, in float64: over the classes that have a positive and a negative, with reduction and
 * weights as `pairLoss` has them.
 * @param costOf the cost of a class by its images, and its slopes by their logits; `p` and `n` are sums over the images
 */
export function sumClasses(
  { n, classes, logits, targets, sampleWeights, reduction }: LossBatch,
  costOf: (
    images: readonly ClassImage[],
    total: { readonly p: number; readonly n: number },
  ) => { readonly cost: number; readonly slopes: ArrayLike<number> },
): LossValue {
  const gradient = new Float64Array(n * classes);
  let [value, counted] = [0, 0];
  for (let c = 0; c < classes; c++) {
    const images = Array.from({ length: n }, (_, i) => {
      const [x = Number.NaN, y = Number.NaN] = [logits[i * classes + c], targets[i * classes + c]];
      const weight = sampleWeights?.[i] ?? 1;
      return { i, x, p: weight * y, n: weight * (1 - y) };
    }).filter(({ p, n: negative }) => p + negative > 0);
    const total = {
      p: images.reduce((sum, image) => sum + image.p, 0),
      n: images.reduce((sum, image) => sum + image.n, 0),
    };
    if (!(total.p > 0 && total.n > 0)) continue;
    const { cost, slopes } = costOf(images, total);
    value += cost;
    counted++;
    for (const [k, { i }] of images.entries()) gradient[i * classes + c] = slopes[k] ?? Number.NaN;
  }
  const divisor = { sum: 1, batchmean: n, mean: counted > 0 ? counted : 1 }[reduction];
  return { value: value / divisor, gradient: gradient.map((slope) => slope / divisor) };
}
