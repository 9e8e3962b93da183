import { MetricError } from './metric-error.js';
import { firstAbove, firstAtLeast, rankScores, type Tally, tally } from './tally.js';

/** How far probabilities are from the frequencies they claim: per class, as a binary question. */

/** One bin of a reliability diagram. Empty bins have NaN means. */
export interface ReliabilityBin {
  /** Scores in (low, high], the first bin including all below. */
  readonly low: number;
  readonly high: number;
  readonly count: number;
  readonly meanScore: number;
  /** Share of positives among the bin's examples. */
  readonly positiveRate: number;
}

/** Bins when the caller names no number. */
export const DEFAULT_BINS = 15;

/** `width`: bins as wide as each other. `mass`: bins with as many examples as each other, cut at quantiles of the scores. */
export type Binning = 'width' | 'mass';

export interface CalibrationOptions {
  /** Number of bins; 15 when absent. */
  readonly bins?: number;
  /** `width` when absent. */
  readonly binning?: Binning;
}

/**
 * Expected calibration error `Σ_b (n_b / n) · |positive rate_b − mean score_b|` over bins of the probability of the
 * finding (Naeini et al. 2015, binary; not of the predicted side's confidence as in Guo et al. 2017). Bins are closed on
 * the right. They are those of scikit-learn's `calibration_curve`: with `strategy='uniform'` for equal width, with
 * `strategy='quantile'` for equal mass.
 * @param scores [n] probabilities in [0, 1] @param targets [n] of 1, 0 or NaN (unknown, left out)
 * @returns in [0, 1], or NaN when no target is known
 * @throws MetricError for a score outside [0, 1] or a number of bins that is not a positive integer
 */
export function expectedCalibrationError(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: CalibrationOptions = {},
): number {
  return tallyCalibrationError(tally(rankScores(scores, targets)), options);
}

/**
 * Brier score, the mean of (score − target)²: scikit-learn's `brier_score_loss`.
 * @param scores [n] probabilities in [0, 1] @param targets [n] of 1, 0 or NaN (unknown, left out)
 * @returns in [0, 1], 0 being best, or NaN when no target is known
 * @throws MetricError for a score outside [0, 1]
 */
export function brierScore(scores: ArrayLike<number>, targets: ArrayLike<number>): number {
  return tallyBrierScore(tally(rankScores(scores, targets)));
}

/**
 * The bins of a reliability diagram: scikit-learn's `calibration_curve`, with the empty bins kept.
 * @param scores [n] probabilities in [0, 1] @param targets [n] of 1, 0 or NaN (unknown, left out)
 * @throws MetricError as `expectedCalibrationError`
 */
export function reliability(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: CalibrationOptions = {},
): ReliabilityBin[] {
  return tallyReliability(tally(rankScores(scores, targets)), options);
}

/** Expected calibration error of examples already counted by level. */
export function tallyCalibrationError(counted: Tally, options: CalibrationOptions): number {
  const total = counted.positiveTotal + counted.negativeTotal;
  if (total === 0) return Number.NaN;
  let error = 0;
  for (const { count, positiveRate, meanScore } of tallyReliability(counted, options)) {
    if (count > 0) error += (count / total) * Math.abs(positiveRate - meanScore);
  }
  return error;
}

/** Brier score of examples already counted by level. */
export function tallyBrierScore(counted: Tally): number {
  requireProbabilities(counted);
  return counted.squaredError / (counted.positiveTotal + counted.negativeTotal);
}

/** Whether all known scores can be read as probabilities. */
export function areProbabilities({ levels }: Pick<Tally, 'levels'>): boolean {
  return levels.length === 0 || ((levels[0] as number) >= 0 && (levels[levels.length - 1] as number) <= 1);
}

function tallyReliability(counted: Tally, options: CalibrationOptions): ReliabilityBin[] {
  const { bins = DEFAULT_BINS, binning = 'width' } = options;
  const { levels, below, positivesBelow, scoresBelow } = counted;
  if (!Number.isInteger(bins) || bins < 1) {
    throw new MetricError(`${bins} calibration bins: expected a positive integer.`);
  }
  requireProbabilities(counted);
  const edges = binning === 'width' ? equalWidths(bins) : equalMasses(counted, bins);
  let from = 0;
  return Array.from({ length: bins }, (_, b) => {
    const [low, high] = [edges[b] as number, edges[b + 1] as number];
    const to = b === bins - 1 ? levels.length : Math.max(from, firstAbove(levels, high));
    const inBin = (sums: Uint32Array | Float64Array) => (sums[to] as number) - (sums[from] as number);
    const [count, positives, scores] = [inBin(below), inBin(positivesBelow), inBin(scoresBelow)];
    from = to;
    return { low, high, count, meanScore: scores / count, positiveRate: positives / count };
  });
}

function requireProbabilities(counted: Tally): void {
  if (areProbabilities(counted)) return;
  const { levels } = counted;
  const worst = (levels[0] as number) < 0 ? levels[0] : levels[levels.length - 1];
  throw new MetricError(
    `a score of ${worst} is not a probability: calibration needs scores in [0, 1]. Apply the sigmoid to logits first.`,
  );
}

/** [bins + 1] */
function equalWidths(bins: number): number[] {
  const width = 1 / bins;
  return Array.from({ length: bins + 1 }, (_, edge) => (edge === bins ? 1 : edge * width));
}

/**
 * [bins + 1] quantiles of the scores with linear interpolation. The steps are those of numpy's `percentile`, down to the
 * order of its roundings: a score that lies on an edge must fall on the same side.
 */
function equalMasses({ levels, below, positiveTotal, negativeTotal }: Tally, bins: number): number[] {
  const total = positiveTotal + negativeTotal;
  // the level of the example at a place, counting from 0 by ascending score
  const scoreAt = (place: number) => levels[firstAtLeast(below, place + 1) - 1] ?? Number.NaN;
  return equalWidths(bins).map((share) => {
    const position = ((share * 100) / 100) * (total - 1);
    const place = Math.floor(position);
    const t = position - place;
    const [a, b] = [scoreAt(place), scoreAt(Math.min(place + 1, total - 1))];
    return t >= 0.5 ? b - (b - a) * (1 - t) : a + (b - a) * t;
  });
}
