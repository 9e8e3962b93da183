import { areProbabilities, tallyBrierScore, tallyCalibrationError } from './calibration-error.js';
import { tallyBestF1, tallyF1 } from './f1.js';
import { MetricError } from './metric-error.js';
import { tallyAveragePrecision } from './precision-recall.js';
import { tallyRocAuc, tallySensitivity } from './roc.js';
import { type Ranking, rankScores, type Tally, tally } from './tally.js';

/**
 * The metrics that are computed per class and averaged over classes, in one table: summaries and bootstrap intervals read
 * it, so they cannot disagree on what a metric is or when a class has none.
 */

/** Names of the metrics of a summary: the mean of any of them over classes is a macro mean. */
export const METRIC_NAMES = ['mAP', 'auroc', 'f1', 'bestF1', 'ece'] as const;
export type MetricName = (typeof METRIC_NAMES)[number];

/** All that can be measured of a class: `fittedF1` at a threshold of its own, `sensitivity@0.9` at a specificity of 0.9. */
export type Metric = MetricName | 'fittedF1' | 'brier' | 'eceMass' | `${typeof SENSITIVITY}${number}`;

const SENSITIVITY = 'sensitivity@';

export function sensitivityMetric(specificity: number): Metric {
  return `${SENSITIVITY}${specificity}`;
}

export interface MetricSettings {
  /** Scores at or above it count as positive for `f1`; 0.5 when absent. */
  readonly threshold?: number;
  /** The same for `fittedF1`. */
  readonly fitted?: number | undefined;
  /** Bins of the calibration errors; 15 when absent. */
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
export function classMetric(metric: Metric, counted: Tally, settings: MetricSettings): number {
  if (whyUndefined(metric, counted) !== null) return Number.NaN;
  const bins = settings.bins === undefined ? {} : { bins: settings.bins };
  switch (metric) {
    case 'mAP':
      return tallyAveragePrecision(counted);
    case 'auroc':
      return tallyRocAuc(counted);
    case 'f1':
      return tallyF1(counted, settings.threshold ?? 0.5);
    case 'bestF1':
      return tallyBestF1(counted).f1;
    case 'fittedF1':
      return settings.fitted === undefined ? Number.NaN : tallyF1(counted, settings.fitted);
    case 'brier':
      return tallyBrierScore(counted);
    case 'ece':
      return tallyCalibrationError(counted, bins);
    case 'eceMass':
      return tallyCalibrationError(counted, { ...bins, binning: 'mass' });
    default:
      return tallySensitivity(counted, Number(metric.slice(SENSITIVITY.length)));
  }
}

/** Why a class is left out of a metric's mean, or null where it counts. */
export function whyUndefined(metric: Metric, counted: Tally): string | null {
  const { positiveTotal, negativeTotal } = counted;
  if (positiveTotal + negativeTotal === 0) return 'no known target';
  if (isOfProbabilities(metric)) return areProbabilities(counted) ? null : 'scores outside [0, 1]';
  if (positiveTotal === 0) return 'no positive target';
  return needsNegatives(metric) && negativeTotal === 0 ? 'no negative target' : null;
}

/** Whether a metric takes scores at their word, and so needs no positives. */
export function isOfProbabilities(metric: Metric): boolean {
  return metric === 'brier' || metric === 'ece' || metric === 'eceMass';
}

/** Whether a metric compares positives with negatives. */
export function needsNegatives(metric: Metric): boolean {
  return metric === 'auroc' || metric.startsWith(SENSITIVITY);
}

/**
 * Metrics of classes, each class counted once for all of them: [metrics · classes], NaN where a class has none.
 * @param weights [n] how often each image counts; once when absent
 */
export function measureClasses(
  metrics: readonly Metric[],
  rankings: readonly Ranking[],
  settings: MetricSettings,
  weights?: Uint32Array,
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
    return rankScores(column, targetColumn, { name });
  });
}
