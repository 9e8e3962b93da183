import type { Interval } from '../eval/metrics/interval.js';
import { decimals, NOTHING } from '../text/numbers.js';
import type { StackingCurve, StackingPoint } from './calibrated-stacking.js';
import type { GeneralisedEvaluation } from './generalised.js';

/** A generalised evaluation as rows of a table: a header, then a row for each kind of classes. */
export function generalisedRows(
  { mAP, auroc }: GeneralisedEvaluation,
  counts: { readonly seen: number; readonly unseen: number },
): string[][] {
  const all = counts.seen + counts.unseen;
  const row = (name: string, classes: string, kind: keyof typeof mAP) => [
    name,
    classes,
    ...[mAP, auroc].map((means) => withInterval(means[kind])),
  ];
  return [
    ['', 'classes', 'mAP', 'AUROC'],
    row('seen', String(counts.seen), 'seen'),
    row('unseen', String(counts.unseen), 'unseen'),
    row('all', String(all), 'all'),
    row('harmonic mean of seen and unseen', '', 'harmonicMean'),
  ];
}

/**
 * Calibrated stacking as rows of a table: findings among the k highest scores of their image, by γ.
 * @param given the point of a γ that was chosen elsewhere
 */
export function stackingRows(
  { unchanged, best }: StackingCurve,
  { k, given }: { readonly k: number; readonly given?: StackingPoint | undefined },
): string[][] {
  const row = (name: string, { gamma, seen, unseen, harmonicMean }: StackingPoint) => [
    name,
    decimals(gamma, 4),
    ...[seen, unseen, harmonicMean].map((share) => decimals(share)),
  ];
  return [
    [
      k === 1 ? 'findings first in their image' : `findings among the first ${k} of their image`,
      'γ',
      'seen',
      'unseen',
      'harmonic mean',
    ],
    row('as they are', unchanged),
    ...(given ? [row('with the given γ', given)] : []),
    row('with the best γ for these labels', best),
  ];
}

function withInterval({ estimate, low, high, whyMissing }: Interval): string {
  const value = Number.isNaN(estimate) ? NOTHING : decimals(estimate);
  if (!Number.isNaN(low)) return `${value} [${decimals(low)}, ${decimals(high)}]`;
  return whyMissing === null ? value : `${value} (${whyMissing})`;
}
