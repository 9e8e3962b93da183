import { MetricError } from './metric-error.js';
import { calledFrom, firstIndex, rankScores, type Tally, tally } from './tally.js';

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
export function tallyRocAuc(counted: Tally): number {
  const { positiveLevels, below, positivesBelow, positiveTotal, negativeTotal } = counted;
  if (positiveTotal === 0 || negativeTotal === 0) return Number.NaN;
  let pairs = 0;
  for (const level of positiveLevels) {
    const found = (positivesBelow[level + 1] as number) - (positivesBelow[level] as number);
    const negatives = (below[level] as number) - (positivesBelow[level] as number);
    const ties = (below[level + 1] as number) - (below[level] as number) - found;
    pairs += found * (negatives + ties / 2);
  }
  return pairs / (positiveTotal * negativeTotal);
}

/**
 * Sensitivity at a fixed specificity: the highest share of the positives that a threshold finds of all thresholds that
 * leave at least a share `specificity` of the negatives alone. No point between two thresholds is interpolated.
 * @param scores [n] any finite numbers, higher meaning more likely
 * @param targets [n] of 1, 0 or NaN (unknown, left out)
 * @param specificity in [0, 1], such as 0.9
 * @returns in [0, 1], or NaN unless both outcomes are among the known targets
 * @throws MetricError for NaN or infinite scores, and for a specificity outside [0, 1]
 */
export function sensitivityAt(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  specificity: number,
): number {
  return tallySensitivity(tally(rankScores(scores, targets)), specificity);
}

/** Sensitivity at a fixed specificity of examples already counted by level. */
export function tallySensitivity(counted: Tally, specificity: number): number {
  if (!(specificity >= 0 && specificity <= 1)) {
    throw new MetricError(`a specificity of ${specificity}: expected a number from 0 to 1.`);
  }
  const { levels, below, positivesBelow, positiveTotal, negativeTotal } = counted;
  if (positiveTotal === 0 || negativeTotal === 0) return Number.NaN;
  const level = firstIndex(levels.length, (at) => {
    const leftAlone = (below[at] as number) - (positivesBelow[at] as number);
    return leftAlone / negativeTotal >= specificity;
  });
  return calledFrom(counted, level).hits / positiveTotal;
}

/**
 * The ROC curve at every distinct score: scikit-learn's `roc_curve(drop_intermediate=False)`. A rate whose outcome does
 * not occur is NaN.
 * @param scores [n] any finite numbers @param targets [n] of 1, 0 or NaN (unknown, left out)
 * @throws MetricError for NaN or infinite scores
 */
export function rocCurve(scores: ArrayLike<number>, targets: ArrayLike<number>): RocCurve {
  const counted = tally(rankScores(scores, targets));
  const { levels, positiveTotal, negativeTotal } = counted;
  const size = levels.length + 1;
  const thresholds = new Float64Array(size).fill(Number.POSITIVE_INFINITY);
  const falsePositiveRate = new Float64Array(size);
  const truePositiveRate = new Float64Array(size);
  for (let point = 0; point < size; point++) {
    const level = levels.length - point;
    const { hits, called } = calledFrom(counted, level);
    if (point > 0) thresholds[point] = levels[level] as number;
    falsePositiveRate[point] = (called - hits) / negativeTotal;
    truePositiveRate[point] = hits / positiveTotal;
  }
  return { thresholds, falsePositiveRate, truePositiveRate };
}
