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
  const { positivesBelow, scoresBelow, positiveTotal, negativeTotal } = counted;
  const total = positiveTotal + negativeTotal;
  if (total === 0) return Number.NaN;
  let error = 0;
  eachBin(counted, options, (from, to) => {
    const positives = (positivesBelow[to] as number) - (positivesBelow[from] as number);
    const scores = (scoresBelow[to] as number) - (scoresBelow[from] as number);
    error += Math.abs(positives - scores);
  });
  return error / total;
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
  const { below, positivesBelow, scoresBelow } = counted;
  const bins: ReliabilityBin[] = [];
  let low = options.binning === 'mass' ? scoreAt(counted, 0) : 0;
  eachBin(counted, options, (from, to, high) => {
    const inBin = (sums: Uint32Array | Float64Array) => (sums[to] as number) - (sums[from] as number);
    const [count, positives, scores] = [inBin(below), inBin(positivesBelow), inBin(scoresBelow)];
    bins.push({ low, high, count, meanScore: scores / count, positiveRate: positives / count });
    low = high;
  });
  return bins;
}

/** Calls `visit` for each bin with its first level, the one after its last, and its upper edge. */
function eachBin(
  counted: Tally,
  { bins = DEFAULT_BINS, binning = 'width' }: CalibrationOptions,
  visit: (from: number, to: number, high: number) => void,
): void {
  if (!Number.isInteger(bins) || bins < 1) {
    throw new MetricError(`${bins} calibration bins: expected a positive integer.`);
  }
  requireProbabilities(counted);
  const { levels } = counted;
  let from = 0;
  for (let b = 1; b <= bins; b++) {
    // the steps of numpy's linspace, which ends at 1 itself
    const share = b === bins ? 1 : b * (1 / bins);
    const high = binning === 'width' ? share : scoreQuantile(counted, share);
    const to = b === bins ? levels.length : Math.max(from, firstAbove(levels, high));
    visit(from, to, high);
    from = to;
  }
}

function requireProbabilities(counted: Tally): void {
  if (areProbabilities(counted)) return;
  const { levels } = counted;
  const worst = (levels[0] as number) < 0 ? levels[0] : levels[levels.length - 1];
  throw new MetricError(
    `a score of ${worst} is not a probability: calibration needs scores in [0, 1]. Apply the sigmoid to logits first.`,
  );
}

/**
 * Quantile of the scores with linear interpolation. The steps are those of numpy's `percentile`, down to the order of its
 * roundings: a score that lies on an edge must fall on the same side.
 */
function scoreQuantile(counted: Tally, share: number): number {
  const last = counted.positiveTotal + counted.negativeTotal - 1;
  const position = ((share * 100) / 100) * last;
  const place = Math.floor(position);
  const t = position - place;
  const [a, b] = [scoreAt(counted, place), scoreAt(counted, Math.min(place + 1, last))];
  return t >= 0.5 ? b - (b - a) * (1 - t) : a + (b - a) * t;
}

/** The score of the example at a place, counting from 0 by ascending score; NaN where there is none. */
function scoreAt({ levels, below }: Tally, place: number): number {
  return levels[firstAtLeast(below, place + 1) - 1] ?? Number.NaN;
}
