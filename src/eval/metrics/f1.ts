import { MetricError } from './metric-error.js';
import { calledFrom, firstAtLeast, rankScores, type Tally, tally } from './tally.js';

/** F1 at a given threshold, and at the threshold where it is best. */

/** Where F1 is highest. */
export interface BestF1 {
  readonly f1: number;
  /** An example is called positive when its score ≥ threshold; the highest of equally good ones. */
  readonly threshold: number;
}

/**
 * F1, `2TP / (2TP + FP + FN)`, of calling positive what scores ≥ `threshold`: scikit-learn's `f1_score`, including its 0
 * where nothing is positive and nothing is called so.
 * @param scores [n] finite numbers @param targets [n] of 1, 0 or NaN (unknown, left out)
 * @param options.threshold 0.5 when absent
 * @returns in [0, 1]
 * @throws MetricError for NaN or infinite scores or threshold
 */
export function f1(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: { threshold?: number } = {},
): number {
  return tallyF1(tally(rankScores(scores, targets)), options.threshold ?? 0.5);
}

/**
 * The best F1 over all thresholds. Chosen on the data it is measured on, it flatters: choose on validation images and
 * apply to test images with `f1(…, { threshold })`.
 * @param scores [n] finite numbers @param targets [n] of 1, 0 or NaN (unknown, left out)
 * @returns NaN and NaN when no known target is positive
 * @throws MetricError for NaN or infinite scores
 */
export function bestF1(scores: ArrayLike<number>, targets: ArrayLike<number>): BestF1 {
  return tallyBestF1(tally(rankScores(scores, targets)));
}

/** F1 of examples already counted by level. */
export function tallyF1(counted: Tally, threshold: number): number {
  const { hits, called } = tallyCalled(counted, threshold);
  return hits === 0 ? 0 : (2 * hits) / (called + counted.positiveTotal);
}

/** What is called positive at a threshold, and how much of it rightly. @throws MetricError for an infinite threshold */
export function tallyCalled(
  counted: Tally,
  threshold: number,
): { readonly hits: number; readonly called: number } {
  if (!Number.isFinite(threshold)) {
    throw new MetricError(`the F1 threshold is ${threshold}: expected a finite number.`);
  }
  return calledFrom(counted, firstAtLeast(counted.levels, threshold));
}

/** Best F1 of examples already counted by level. Only a threshold that finds another positive can be better. */
export function tallyBestF1(counted: Tally): BestF1 {
  const { levels, positiveLevels, positiveTotal } = counted;
  if (positiveTotal === 0) return { f1: Number.NaN, threshold: Number.NaN };
  let best: BestF1 = { f1: -1, threshold: Number.NaN };
  for (let i = positiveLevels.length - 1; i >= 0; i--) {
    const level = positiveLevels[i] as number;
    const { hits, called } = calledFrom(counted, level);
    const value = (2 * hits) / (called + positiveTotal);
    if (value > best.f1) best = { f1: value, threshold: levels[level] as number };
  }
  return best;
}
