import { whyNoInterval } from './bootstrap.js';
import {
  classMetric,
  type MatrixShape,
  type Metric,
  type MetricSettings,
  meanOfDefined,
  rankClasses,
  sensitivityMetric,
  whyUndefined,
} from './class-metrics.js';
import { tallyCalled } from './f1.js';
import { MetricError } from './metric-error.js';
import type { NumberedPatients } from './patient-draws.js';
import { type Ranking, rankScores, type Tally, tally } from './tally.js';

/**
 * Every metric of every class, and of all classes pooled, in one go for any weights of the images: what bootstrap and
 * jackknife repeat a thousand times. Averages are then read from the values.
 */

/** Something for each metric. The same shape holds values with intervals, and differences between models. */
export interface Measures<T> {
  /** Average precision. */
  readonly ap: T;
  /** Area under the ROC curve. */
  readonly auroc: T;
  /** F1 at one threshold for all classes, 0.5 unless told otherwise. */
  readonly f1: T;
  /** F1 at thresholds of the classes' own, fitted on other images; null where none were given. */
  readonly fittedF1: T | null;
  /** F1 at the threshold that is best on these very images: flattering. */
  readonly bestF1: T;
  /** [specificities] highest sensitivity at no less than each specificity. */
  readonly sensitivity: readonly T[];
  readonly brier: T;
  /** Expected calibration error over bins of equal width, */
  readonly ece: T;
  /** and over bins of equal mass. */
  readonly eceMass: T;
}

export interface SheetSettings {
  /** Of `f1`; 0.5 when absent. */
  readonly threshold?: number | undefined;
  /** [classes] of `fittedF1`, fitted on other images than these. */
  readonly thresholds?: readonly number[] | undefined;
  /** At which sensitivities are measured; 0.9 and 0.95 when absent. */
  readonly specificities?: readonly number[] | undefined;
  /** Bins of the calibration errors; 15 when absent. */
  readonly bins?: number | undefined;
}

export const DEFAULT_SPECIFICITIES = [0.9, 0.95] as const;

/** Reads one number from the values of a sheet. */
export type Statistic = (values: Float64Array) => number;

/** @param of is asked for each metric that is measured */
export function measuresOf<T>(
  { thresholds, specificities = DEFAULT_SPECIFICITIES }: SheetSettings,
  of: (metric: Metric) => T,
): Measures<T> {
  return {
    ap: of('mAP'),
    auroc: of('auroc'),
    f1: of('f1'),
    fittedF1: thresholds === undefined ? null : of('fittedF1'),
    bestF1: of('bestF1'),
    sensitivity: specificities.map((specificity) => of(sensitivityMetric(specificity))),
    brier: of('brier'),
    ece: of('ece'),
    eceMass: of('eceMass'),
  };
}

export class ScoreSheet {
  readonly classes: number;
  /** One for each class; then that of all classes' known labels pooled, if asked for. */
  readonly rankings: readonly Ranking[];
  /** Each image once. */
  readonly counts: readonly Tally[];
  readonly #metrics: readonly Metric[];
  /** For each ranking. */
  readonly #settings: readonly MetricSettings[];
  readonly #scratch: Tally[] = [];

  /**
   * @param scores [n · classes] @param targets [n · classes] of 1, 0 or NaN (unknown)
   * @param options.pooled whether micro averages are wanted
   * @throws MetricError as `rankClasses`
   */
  constructor(
    scores: ArrayLike<number>,
    targets: ArrayLike<number>,
    options: MatrixShape & SheetSettings & { readonly pooled: boolean },
  ) {
    const { classes, pooled, thresholds } = options;
    if (thresholds !== undefined && thresholds.length !== classes) {
      throw new MetricError(
        `${thresholds.length} thresholds for ${classes} classes: give one for each class.`,
      );
    }
    this.classes = classes;
    const perClass = rankClasses(scores, targets, options);
    this.rankings = pooled ? [...perClass, rankScores(scores, targets, { perRow: classes })] : perClass;
    this.counts = this.rankings.map((ranking) => tally(ranking));
    const { threshold = 0.5, bins } = options;
    this.#settings = this.rankings.map((_, c) => ({
      threshold,
      fitted: thresholds?.[c],
      ...(bins !== undefined && { bins }),
    }));
    const metrics: Metric[] = [];
    measuresOf(options, (metric) => metrics.push(metric));
    this.#metrics = metrics;
  }

  /**
   * @param weights [n] how often each image counts; once when absent
   * @returns [metrics + 1, rankings]: the last row has the number of positives; NaN where a class can't have a metric
   */
  measure(weights?: Uint32Array): Float64Array {
    const width = this.rankings.length;
    const values = new Float64Array((this.#metrics.length + 1) * width);
    for (const [c, ranking] of this.rankings.entries()) {
      const counted = tally(ranking, weights, this.#scratch[c]);
      this.#scratch[c] = counted;
      const settings = this.#settings[c] as MetricSettings;
      for (const [m, metric] of this.#metrics.entries()) {
        values[m * width + c] = classMetric(metric, counted, settings);
      }
      values[this.#metrics.length * width + c] = counted.positiveTotal;
    }
    if (width > this.classes) {
      for (const metric of ['f1', 'fittedF1'] as const) {
        const row = this.#metrics.indexOf(metric);
        if (row >= 0) values[row * width + this.classes] = this.#pooledF1(metric);
      }
    }
    return values;
  }

  /** Thresholds differ by class, so that hits are added up rather than looked up in the pool. */
  #pooledF1(metric: 'f1' | 'fittedF1'): number {
    let [hits, called, positives] = [0, 0, 0];
    for (let c = 0; c < this.classes; c++) {
      const counted = this.#scratch[c] as Tally;
      const { threshold = 0.5, fitted = threshold } = this.#settings[c] as MetricSettings;
      const here = tallyCalled(counted, metric === 'f1' ? threshold : fitted);
      hits += here.hits;
      called += here.called;
      positives += counted.positiveTotal;
    }
    return positives === 0 ? Number.NaN : (2 * hits) / (called + positives);
  }

  /** One class's value. */
  ofClass(metric: Metric, c: number): Statistic {
    const at = this.#row(metric) + c;
    return (values) => values[at] as number;
  }

  /** The mean over the classes that have the metric; over `only` these. */
  macro(
    metric: Metric,
    only: readonly number[] = Array.from({ length: this.classes }, (_, c) => c),
  ): Statistic {
    const row = this.#row(metric);
    return (values) => meanOfDefined(only.map((c) => values[row + c] as number));
  }

  /** The mean weighted by each class's number of positives, of the classes that have the metric. */
  weighted(metric: Metric): Statistic {
    const row = this.#row(metric);
    const last = this.#metrics.length * this.rankings.length;
    return (values) => {
      let [sum, total] = [0, 0];
      for (let c = 0; c < this.classes; c++) {
        const value = values[row + c] as number;
        if (Number.isNaN(value)) continue;
        const positives = values[last + c] as number;
        sum += positives * value;
        total += positives;
      }
      return sum / total;
    };
  }

  /** That of all known labels of all classes in one pool. */
  micro(metric: Metric): Statistic {
    return this.ofClass(metric, this.classes);
  }

  /** Why draws of patients say nothing of a class (or of the pool, after the last class); null where they do. */
  whyNoInterval(metric: Metric, c: number, patients: NumberedPatients): string | null {
    return whyNoInterval(metric, this.rankings[c] as Ranking, patients, this.counts[c] as Tally);
  }

  /** The same of a mean over classes: a class's reason, where every class that counts has one. */
  whyNoMean(metric: Metric, patients: NumberedPatients, only?: readonly number[]): string | null {
    const chosen = only ?? Array.from({ length: this.classes }, (_, c) => c);
    // classes without the metric have a reason of their own, which matters where all are without it
    const counted = chosen.filter((c) => whyUndefined(metric, this.counts[c] as Tally) === null);
    const reasons = (counted.length > 0 ? counted : chosen).map((c) =>
      this.whyNoInterval(metric, c, patients),
    );
    return reasons.includes(null) ? null : (reasons[0] ?? 'there is no class');
  }

  #row(metric: Metric): number {
    return this.#metrics.indexOf(metric) * this.rankings.length;
  }
}
