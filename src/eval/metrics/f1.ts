import { MetricError } from './metric-error.js';
import { rankScores, type Tally, tally } from './tally.js';

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
export function tallyF1({ levels, positives, negatives, positiveTotal }: Tally, threshold: number): number {
  if (!Number.isFinite(threshold)) {
    throw new MetricError(`the F1 threshold is ${threshold}: expected a finite number.`);
  }
  let hits = 0;
  let called = 0;
  for (let level = levels.length - 1; level >= 0 && (levels[level] as number) >= threshold; level--) {
    hits += positives[level] as number;
    called += (positives[level] as number) + (negatives[level] as number);
  }
  return hits === 0 ? 0 : (2 * hits) / (called + positiveTotal);
}

/** Best F1 of examples already counted by level. */
export function tallyBestF1({ levels, positives, negatives, positiveTotal }: Tally): BestF1 {
  if (positiveTotal === 0) return { f1: Number.NaN, threshold: Number.NaN };
  let best: BestF1 = { f1: -1, threshold: Number.NaN };
  let hits = 0;
  let called = 0;
  for (let level = levels.length - 1; level >= 0; level--) {
    hits += positives[level] as number;
    called += (positives[level] as number) + (negatives[level] as number);
    const value = (2 * hits) / (called + positiveTotal);
    if (value > best.f1) best = { f1: value, threshold: levels[level] as number };
  }
  return best;
}
