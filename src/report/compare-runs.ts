import { pairedBootstrapInterval } from '../eval/metrics/bootstrap.js';
import type { Interval } from '../eval/metrics/interval.js';
import type { LabelledScores } from '../predict/labelled-scores.js';
import { type ExaminedRun, inColumnOrder, shapeOf } from './examine-run.js';

/**
 * Runs held against the first one on the very same images and labels. Where two runs were scored on others, no
 * difference is given: it would mix the model with the images.
 */

export interface Difference {
  /** How much higher than the first run's macro mAP, all classes. */
  readonly mAP: Interval;
  /** The same over the tail classes; null where there are none. */
  readonly tail: Interval | null;
}

export interface CompareOptions {
  /** Bootstrap draws; 1,000 when absent. */
  readonly resamples?: number | undefined;
}

/** @returns null when the runs' primary parts are not the same images with the same labels */
export function differenceFrom(
  first: ExaminedRun,
  other: ExaminedRun,
  { resamples = 1000 }: CompareOptions = {},
): Difference | null {
  const [base, part] = [first.primary, other.primary];
  if (base === null || part === null || base.name !== part.name || base.n !== part.n) return null;
  const columns = inColumnOrder(first.classes);
  const names = columns.map(({ name }) => name);
  const otherNames = inColumnOrder(other.classes).map(({ name }) => name);
  if (JSON.stringify(names) !== JSON.stringify(otherNames)) return null;
  const aligned = alignedScores(base, part);
  if (aligned === null) return null;
  const options = { ...shapeOf(base, columns), patients: base.patients, resamples };
  const interval = (only?: number[]) =>
    pairedBootstrapInterval('mAP', base.scores, aligned, base.targets, { ...options, ...(only && { only }) });
  const tail = columns.filter(({ group }) => group === 'tail').map(({ index }) => index);
  const tailScored = base.groups.some(({ name, mAP }) => name === 'tail' && Number.isFinite(mAP.estimate));
  return { mAP: interval(), tail: tailScored ? interval(tail) : null };
}

/** The other run's scores in the order of `base`'s images; null when images or labels differ. */
export function alignedScores(base: LabelledScores, other: LabelledScores): Float32Array | null {
  const rowOf = new Map(other.images.map((image, row) => [image, row]));
  const classes = base.scores.length / base.n;
  const scores = new Float32Array(base.scores.length);
  for (const [to, image] of base.images.entries()) {
    const from = rowOf.get(image);
    if (from === undefined) return null;
    const labels = other.targets.subarray(from * classes, (from + 1) * classes);
    if (labels.some((label, c) => !Object.is(label, base.targets[to * classes + c]))) return null;
    scores.set(other.scores.subarray(from * classes, (from + 1) * classes), to * classes);
  }
  return scores;
}
