import { rankScores, type Tally, tally } from './tally.js';

/** The receiver operating characteristic and the area under it. */

/** Points of an ROC curve, from the highest threshold to the lowest. */
export interface RocCurve {
  /** An example is called positive when its score ≥ threshold; the first is +∞ (nothing is called positive). */
  readonly thresholds: Float64Array;
  /** Share of the negatives called positive, ascending from 0 to 1. */
  readonly falsePositiveRate: Float64Array;
  /** Share of the positives called positive, ascending from 0 to 1. */
  readonly truePositiveRate: Float64Array;
}

/**
 * Area under the ROC curve: the chance that a random positive scores above a random negative, ties counting half
 * (scikit-learn's `roc_auc_score`; Mann–Whitney's U divided by both counts).
 * @param scores [n] any finite numbers, higher meaning more likely
 * @param targets [n] of 1, 0 or NaN (unknown, left out)
 * @returns in [0, 1], or NaN unless both outcomes are among the known targets (scikit-learn 1.2 raises an error)
 * @throws MetricError for NaN or infinite scores
 */
export function rocAuc(scores: ArrayLike<number>, targets: ArrayLike<number>): number {
  return tallyRocAuc(tally(rankScores(scores, targets)));
}

/** Area under the ROC curve of examples already counted by level. */
export function tallyRocAuc({ positives, negatives, positiveTotal, negativeTotal }: Tally): number {
  if (positiveTotal === 0 || negativeTotal === 0) return Number.NaN;
  let below = 0;
  let pairs = 0;
  for (let level = 0; level < positives.length; level++) {
    const ties = negatives[level] as number;
    pairs += (positives[level] as number) * (below + ties / 2);
    below += ties;
  }
  return pairs / (positiveTotal * negativeTotal);
}

/**
 * The ROC curve at every distinct score: scikit-learn's `roc_curve(drop_intermediate=False)`. A rate whose outcome does
 * not occur is NaN.
 * @param scores [n] any finite numbers @param targets [n] of 1, 0 or NaN (unknown, left out)
 * @throws MetricError for NaN or infinite scores
 */
export function rocCurve(scores: ArrayLike<number>, targets: ArrayLike<number>): RocCurve {
  const { levels, positives, negatives, positiveTotal, negativeTotal } = tally(rankScores(scores, targets));
  const size = levels.length + 1;
  const thresholds = new Float64Array(size).fill(Number.POSITIVE_INFINITY);
  const falsePositiveRate = new Float64Array(size);
  const truePositiveRate = new Float64Array(size);
  let hits = 0;
  let alarms = 0;
  for (let point = 0; point < size; point++) {
    if (point > 0) {
      const level = levels.length - point;
      thresholds[point] = levels[level] as number;
      hits += positives[level] as number;
      alarms += negatives[level] as number;
    }
    falsePositiveRate[point] = alarms / negativeTotal;
    truePositiveRate[point] = hits / positiveTotal;
  }
  return { thresholds, falsePositiveRate, truePositiveRate };
}
