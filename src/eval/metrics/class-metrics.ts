import { areProbabilities, DEFAULT_BINS, tallyCalibrationError } from './calibration-error.js';
import { tallyBestF1, tallyF1 } from './f1.js';
import { MetricError } from './metric-error.js';
import { tallyAveragePrecision } from './precision-recall.js';
import { tallyRocAuc } from './roc.js';
import { type Ranking, rankScores, type Tally, tally } from './tally.js';

/**
 * The metrics that are computed per class and averaged over classes, in one table: summaries and bootstrap intervals read
 * it, so they cannot disagree on what a metric is or when a class has none.
 */

/** Names of the averaged metrics: the mean of any of them over classes is a macro mean. */
export const METRIC_NAMES = ['mAP', 'auroc', 'f1', 'bestF1', 'ece'] as const;
export type MetricName = (typeof METRIC_NAMES)[number];

export interface MetricSettings {
  /** Scores at or above it count as positive for `f1`; 0.5 when absent. */
  readonly threshold?: number;
  /** Bins of the calibration error; 15 when absent. */
  readonly bins?: number;
}

/** A [n, classes] matrix of scores or targets, row by row. */
export interface MatrixShape {
  /** Number of images. */
  readonly n: number;
  /** Number of classes. */
  readonly classes: number;
  /** [classes], in the order of the columns. */
  readonly classNames: readonly string[];
}

/** One metric of one class; NaN where the class cannot have it (see `whyUndefined`). */
export function classMetric(metric: MetricName, counted: Tally, settings: MetricSettings): number {
  if (whyUndefined(metric, counted) !== null) return Number.NaN;
  switch (metric) {
    case 'mAP':
      return tallyAveragePrecision(counted);
    case 'auroc':
      return tallyRocAuc(counted);
    case 'f1':
      return tallyF1(counted, settings.threshold ?? 0.5);
    case 'bestF1':
      return tallyBestF1(counted).f1;
    case 'ece':
      return tallyCalibrationError(counted, settings.bins ?? DEFAULT_BINS);
  }
}

/** Why a class is left out of a metric's mean, or null where it counts. */
export function whyUndefined(metric: MetricName, counted: Tally): string | null {
  const { positiveTotal, negativeTotal } = counted;
  if (positiveTotal + negativeTotal === 0) return 'no known target';
  if (metric === 'ece') return areProbabilities(counted) ? null : 'scores outside [0, 1]';
  if (positiveTotal === 0) return 'no positive target';
  return metric === 'auroc' && negativeTotal === 0 ? 'no negative target' : null;
}

/**
 * Metrics of classes, each class counted once for all of them: [metrics · classes], NaN where a class has none.
 * @param weights [n] how often each image counts; once when absent
 */
export function measureClasses(
  metrics: readonly MetricName[],
  rankings: readonly Ranking[],
  settings: MetricSettings,
  weights?: ArrayLike<number>,
): Float64Array {
  const values = new Float64Array(metrics.length * rankings.length);
  for (const [c, ranking] of rankings.entries()) {
    const counted = tally(ranking, weights);
    for (const [m, metric] of metrics.entries()) {
      values[m * rankings.length + c] = classMetric(metric, counted, settings);
    }
  }
  return values;
}

/** Mean of the values that are defined; NaN when none is. */
export function meanOfDefined(values: Iterable<number>): number {
  let sum = 0;
  let count = 0;
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    sum += value;
    count++;
  }
  return sum / count;
}

/**
 * Sorts every class's column of a score matrix.
 * @throws MetricError when the sizes do not fit, or as `rankScores`, naming row and class
 */
export function rankClasses(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  { n, classes, classNames }: MatrixShape,
): Ranking[] {
  if (classNames.length !== classes) {
    throw new MetricError(
      `${classNames.length} class names for ${classes} classes: give one for each column.`,
    );
  }
  for (const [what, { length }] of [['scores', scores] as const, ['targets', targets] as const]) {
    if (length !== n * classes) {
      throw new MetricError(
        `${length} ${what} for ${n} images × ${classes} classes: expected ${n * classes}.`,
      );
    }
  }
  const column = new Float64Array(n);
  const targetColumn = new Float64Array(n);
  return classNames.map((name, c) => {
    for (let i = 0; i < n; i++) {
      column[i] = scores[i * classes + c] as number;
      targetColumn[i] = targets[i * classes + c] as number;
    }
    return rankScores(column, targetColumn, name);
  });
}
