import type { BoundLoss, EntryLoss, LossBatch, LossValue, Moment, ReferenceOptions } from './loss.js';

/** A whole batch's loss in float64, from the definition: what kernels are held against. */

export const BEGINNING: Moment = { epoch: 0, progress: 0 };

/**
 * Value and gradient with mask, label smoothing, sample weights and reduction as `fusedLoss` has them.
 * Throws `LossError` where statistics are missing.
 */
export function referenceLoss(
  bound: BoundLoss,
  batch: LossBatch,
  { statistics, moment = BEGINNING }: ReferenceOptions = {},
): LossValue {
  const { labelSmoothing } = bound;
  const targets = Float64Array.from(batch.targets, (y) => y * (1 - labelSmoothing) + labelSmoothing / 2);
  const smoothed = { ...batch, targets };
  if (bound.kind === 'batch') return bound.reference(smoothed, { statistics, moment });
  const { classes } = batch;
  const rows = bound.classConstants({ classes, ...statistics });
  const constants = Array.from({ length: classes }, (_, c) => rows.map((row) => row[c] ?? Number.NaN));
  return sumEntries(bound, smoothed, { constants, scheduled: bound.schedule(moment) });
}

function sumEntries(
  bound: EntryLoss,
  { n, classes, logits, targets, sampleWeights, reduction }: LossBatch,
  given: { readonly constants: readonly (readonly number[])[]; readonly scheduled: readonly number[] },
): LossValue {
  const gradient = new Float64Array(n * classes);
  let [value, known] = [0, 0];
  for (let i = 0; i < n; i++) {
    const weight = sampleWeights?.[i] ?? 1;
    const entries = Array.from({ length: classes }, (_, c) => {
      const [x = Number.NaN, y = Number.NaN] = [logits[i * classes + c], targets[i * classes + c]];
      return { c, x, y, constants: given.constants[c] ?? [] };
    }).filter(({ y }) => !Number.isNaN(y));
    const row = entries.reduce((sum, { y, constants }) => sum + bound.rowTerm(y, constants), 0);
    for (const { c, x, y, constants } of entries) {
      const entry = bound.reference(x, y, { constants, row, scheduled: given.scheduled });
      value += weight * entry.value;
      gradient[i * classes + c] = weight * entry.slope;
      known += weight;
    }
  }
  const divisor = { sum: 1, batchmean: n, mean: known > 0 ? known : 1 }[reduction];
  return { value: value / divisor, gradient: gradient.map((slope) => slope / divisor) };
}
