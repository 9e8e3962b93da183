import { calledFrom, rankScores, type Tally, tally } from './tally.js';

/** Precision, recall and the area under their curve: a reader goes through images from the highest score down. */

/** Points of a precision-recall curve, from the highest threshold to the lowest. */
export interface PrecisionRecallCurve {
  /** An example is called positive when its score ≥ threshold; the first is +∞ (nothing is called positive). */
  readonly thresholds: Float64Array;
  /** Share of true positives among those called positive; 1 by convention at the first point. */
  readonly precision: Float64Array;
  /** Share of the positives that are called positive, ascending from 0 to 1. */
  readonly recall: Float64Array;
}

/**
 * Average precision, `Σ (R_k − R_{k−1}) P_k` over distinct thresholds: scikit-learn's `average_precision_score`, without
 * interpolation.
 * @param scores [n] any finite numbers, higher meaning more likely
 * @param targets [n] of 1, 0 or NaN (unknown, left out)
 * @returns in (0, 1], or NaN when no known target is positive (scikit-learn warns and returns 0, which would be
 *   mistaken for a bad score in a mean)
 * @throws MetricError for NaN or infinite scores
 */
export function averagePrecision(scores: ArrayLike<number>, targets: ArrayLike<number>): number {
  return tallyAveragePrecision(tally(rankScores(scores, targets)));
}

/** Average precision of examples already counted by level. */
export function tallyAveragePrecision(counted: Tally): number {
  const { positiveLevels, below, positivesBelow, positiveTotal, negativeTotal } = counted;
  if (positiveTotal === 0) return Number.NaN;
  const total = positiveTotal + negativeTotal;
  let sum = 0;
  for (let i = positiveLevels.length - 1; i >= 0; i--) {
    const level = positiveLevels[i] as number;
    const missed = positivesBelow[level] as number;
    const found = (positivesBelow[level + 1] as number) - missed;
    if (found > 0) sum += found * ((positiveTotal - missed) / (total - (below[level] as number)));
  }
  return sum / positiveTotal;
}

/**
 * The precision-recall curve at every distinct score: scikit-learn's `precision_recall_curve`, listed from the highest
 * threshold down. Recall is NaN throughout when no known target is positive.
 * @param scores [n] any finite numbers @param targets [n] of 1, 0 or NaN (unknown, left out)
 * @throws MetricError for NaN or infinite scores
 */
export function precisionRecallCurve(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
): PrecisionRecallCurve {
  const counted = tally(rankScores(scores, targets));
  const { levels, positiveTotal } = counted;
  const size = levels.length + 1;
  const thresholds = new Float64Array(size).fill(Number.POSITIVE_INFINITY);
  const precision = new Float64Array(size).fill(1);
  const recall = new Float64Array(size);
  recall[0] = 0 / positiveTotal;
  for (let point = 1; point < size; point++) {
    const level = levels.length - point;
    const { hits, called } = calledFrom(counted, level);
    thresholds[point] = levels[level] as number;
    precision[point] = hits / called;
    recall[point] = hits / positiveTotal;
  }
  return { thresholds, precision, recall };
}
