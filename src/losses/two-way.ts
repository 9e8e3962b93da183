import { z } from 'zod';
import { twoWayLoss } from '../kernels/loss/two-way-loss.js';
import { defineBatchLoss } from './define/define-batch-loss.js';
import { logistic } from './define/logistic.js';
import type { LossBatch } from './define/loss.js';

const temperature = z.number().min(0.01).max(100);

const parameters = z.strictObject({
  tp: temperature.default(4).describe('T_p: temperature of positives; higher compares more than the hardest'),
  tn: temperature.default(1).describe('T_n: temperature of negatives'),
});

/**
 * Two-way multi-label loss (Kobayashi, CVPR 2023): every positive against every negative, once within each
 * image (which classes it has) and once within each class of the batch (which images have it):
 * ℓ = softplus(T_n·log Σ_neg e^(x/T_n) + T_p·log Σ_pos e^(−x/T_p)). The value is the mean over images plus the mean over
 * classes, each over those with a positive, as in the authors' code; one without negatives costs 0.
 *
 * With z the argument of softplus, dℓ/dx = σ(z)·e^(x/T_n)/Σ_neg for a negative and −σ(z)·e^(−x/T_p)/Σ_pos for a positive.
 *
 * A soft target is a positive with weight y and a negative with weight 1 − y; a sample weight counts as so many copies of
 * the image. Reductions: see `twoWayLoss`.
 */
export const twoWay = defineBatchLoss({
  name: 'two-way',
  summary: 'positives ranked above negatives, within each image and within each class',
  source: 'Kobayashi, CVPR 2023',
  parameters,
  hardLabels: true,
  trace: ({ tp, tn }, { logits, targets, reduction, sampleWeights, smoothing }) =>
    twoWayLoss(
      { negativeTemperature: tn, positiveTemperature: tp, smoothing, reduction },
      logits,
      targets,
      sampleWeights,
    ),
  reference(given, batch) {
    const { n, classes, sampleWeights, reduction } = batch;
    const gradient = new Float64Array(n * classes);
    const range = (length: number) => Array.from({ length }, (_, i) => i);
    const weightOf = (i: number) => sampleWeights?.[i] ?? 1;
    const entry = (i: number, weight: number) => ({ i, weight });
    const rows = range(n).map((i) => ({
      weight: weightOf(i),
      line: range(classes).map((c) => entry(i * classes + c, 1)),
    }));
    const columns = range(classes).map((c) => ({
      weight: 1,
      line: range(n).map((i) => entry(i * classes + c, weightOf(i))),
    }));
    let value = 0;
    for (const lines of [rows, columns]) {
      const settled = lines
        .filter(({ weight }) => weight > 0)
        .map(({ weight, line }) => ({ weight, ...compare(given, batch, line) }))
        .filter(({ counts }) => counts);
      const total = settled.reduce((sum, { weight }) => sum + weight, 0);
      const divisor = { sum: 1, batchmean: n, mean: total > 0 ? total : 1 }[reduction];
      for (const { weight, loss, slopes } of settled) {
        value += (weight * loss) / divisor;
        for (const [i, slope] of slopes) gradient[i] = (gradient[i] ?? 0) + (weight * slope) / divisor;
      }
    }
    return { value, gradient };
  },
});

/** The loss of one line and its slopes by entry; `counts` where it has a positive. */
function compare(
  { tp, tn }: z.output<typeof parameters>,
  { logits, targets }: LossBatch,
  line: readonly { readonly i: number; readonly weight: number }[],
): { counts: boolean; loss: number; slopes: [i: number, slope: number][] } {
  const known = line
    .map(({ i, weight }) => ({ i, weight, x: logits[i] ?? Number.NaN, y: targets[i] ?? Number.NaN }))
    .filter(({ weight, y }) => weight > 0 && !Number.isNaN(y));
  const negatives = known.map(({ i, weight, x, y }) => ({ i, weight: weight * (1 - y), exponent: x / tn }));
  const positives = known.map(({ i, weight, x, y }) => ({ i, weight: weight * y, exponent: -x / tp }));
  const [below, above] = [logSumExp(negatives), logSumExp(positives)];
  const counts = Number.isFinite(above);
  if (!counts || !Number.isFinite(below)) return { counts, loss: 0, slopes: [] };
  const { p, minusLogQ } = logistic(tn * below + tp * above);
  return {
    counts,
    loss: minusLogQ,
    slopes: [
      ...negatives.map(({ i, weight, exponent }): [number, number] => [
        i,
        p * weight * Math.exp(exponent - below),
      ]),
      ...positives.map(({ i, weight, exponent }): [number, number] => [
        i,
        -p * weight * Math.exp(exponent - above),
      ]),
    ],
  };
}

/** log Σ weight·e^exponent; −∞ of nothing. */
function logSumExp(terms: readonly { readonly weight: number; readonly exponent: number }[]): number {
  const weighed = terms.filter(({ weight }) => weight > 0);
  const largest = weighed.reduce((most, { exponent }) => Math.max(most, exponent), Number.NEGATIVE_INFINITY);
  if (largest === Number.NEGATIVE_INFINITY) return largest;
  return (
    largest +
    Math.log(weighed.reduce((sum, { weight, exponent }) => sum + weight * Math.exp(exponent - largest), 0))
  );
}
