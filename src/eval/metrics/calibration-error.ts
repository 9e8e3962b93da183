import { MetricError } from './metric-error.js';
import { rankScores, type Tally, tally } from './tally.js';

/** How far probabilities are from the frequencies they claim: per class, as a binary question. */

/** One bin of a reliability diagram. Empty bins have NaN means. */
export interface ReliabilityBin {
  /** Scores in (low, high], the first bin including 0. */
  readonly low: number;
  readonly high: number;
  readonly count: number;
  readonly meanScore: number;
  /** Share of positives among the bin's examples. */
  readonly positiveRate: number;
}

/** Equal-width bins when the caller names no number. */
export const DEFAULT_BINS = 15;

/**
 * Expected calibration error `Σ_b (n_b / n) · |positive rate_b − mean score_b|` over equal-width bins of the probability
 * of the finding (Naeini et al. 2015, binary; not of the predicted side's confidence as in Guo et al. 2017). Bins are
 * closed on the right, as in scikit-learn's `calibration_curve(strategy='uniform')`.
 * @param scores [n] probabilities in [0, 1] @param targets [n] of 1, 0 or NaN (unknown, left out)
 * @param options.bins number of bins, 15 when absent
 * @returns in [0, 1], or NaN when no target is known
 * @throws MetricError for a score outside [0, 1] or a number of bins that is not a positive integer
 */
export function expectedCalibrationError(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: { bins?: number } = {},
): number {
  return tallyCalibrationError(tally(rankScores(scores, targets)), options.bins ?? DEFAULT_BINS);
}

/**
 * The bins of a reliability diagram: scikit-learn's `calibration_curve`, with the empty bins kept.
 * @param scores [n] probabilities in [0, 1] @param targets [n] of 1, 0 or NaN (unknown, left out)
 * @throws MetricError as `expectedCalibrationError`
 */
export function reliability(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: { bins?: number } = {},
): ReliabilityBin[] {
  return tallyReliability(tally(rankScores(scores, targets)), options.bins ?? DEFAULT_BINS);
}

/** Expected calibration error of examples already counted by level. */
export function tallyCalibrationError(counted: Tally, bins: number): number {
  const total = counted.positiveTotal + counted.negativeTotal;
  if (total === 0) return Number.NaN;
  let error = 0;
  for (const bin of tallyReliability(counted, bins)) {
    if (bin.count > 0) error += (bin.count / total) * Math.abs(bin.positiveRate - bin.meanScore);
  }
  return error;
}

/** Whether all known scores can be read as probabilities. */
export function areProbabilities({ levels }: Pick<Tally, 'levels'>): boolean {
  return levels.length === 0 || ((levels[0] as number) >= 0 && (levels[levels.length - 1] as number) <= 1);
}

function tallyReliability(counted: Tally, bins: number): ReliabilityBin[] {
  const { levels, positives, negatives } = counted;
  if (!Number.isInteger(bins) || bins < 1) {
    throw new MetricError(`${bins} calibration bins: expected a positive integer.`);
  }
  if (!areProbabilities(counted)) {
    const worst = (levels[0] as number) < 0 ? levels[0] : levels[levels.length - 1];
    throw new MetricError(
      `a score of ${worst} is not a probability: calibration needs scores in [0, 1]. Apply the sigmoid to logits first.`,
    );
  }
  const width = 1 / bins;
  const result: ReliabilityBin[] = [];
  let level = 0;
  for (let b = 0; b < bins; b++) {
    const high = b === bins - 1 ? 1 : (b + 1) * width;
    let count = 0;
    let hits = 0;
    let scoreSum = 0;
    while (level < levels.length && (levels[level] as number) <= high) {
      const here = (positives[level] as number) + (negatives[level] as number);
      count += here;
      hits += positives[level] as number;
      scoreSum += here * (levels[level] as number);
      level++;
    }
    result.push({ low: b * width, high, count, meanScore: scoreSum / count, positiveRate: hits / count });
  }
  return result;
}
