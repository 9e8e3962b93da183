import {
  isOfProbabilities,
  type MatrixShape,
  type Metric,
  type MetricSettings,
  meanOfDefined,
  measureClasses,
  needsNegatives,
  rankClasses,
  whyUndefined,
} from './class-metrics.js';
import { bcaInterval, type Interval, noInterval, percentileInterval } from './interval.js';
import { MetricError } from './metric-error.js';
import {
  leavingOut,
  type NumberedPatients,
  numberPatients,
  overDraws,
  type PatientDraws,
} from './patient-draws.js';
import { isPositive, type Ranking, rowOf, type Tally, tally } from './tally.js';

/**
 * How sure a metric is: bootstrap over patients (Efron 1979), with the BCa interval of interval.ts. In each draw, a class
 * that lost all its positives is left out of that draw's mean, which makes the mean of most draws too high; the correction
 * of BCa takes that back. (docs/intervals.md has how often such intervals hold the true value.)
 */

export interface BootstrapOptions extends MatrixShape, MetricSettings, PatientDraws {
  /** Coverage of the interval in (0, 1); 0.95 when absent. */
  readonly level?: number;
  /** Indices of the classes to average over; all when absent. */
  readonly only?: readonly number[];
}

/**
 * Interval of a macro mean.
 * @param scores [n · classes] @param targets [n · classes] of 1, 0 or NaN (unknown), as for `summarize`
 * @throws MetricError as `summarize`, and for impossible options
 */
export function bootstrapInterval(
  metric: Metric,
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: BootstrapOptions,
): Interval {
  return bootstrapMetrics([metric], scores, targets, options).mean(metric, options.only);
}

/** Metrics of one model on draws of patients, to take intervals from. */
export interface BootstrappedMetrics {
  /** Interval of a macro mean over `only` these classes, all when absent; of a single class by `[c]`. */
  mean(metric: Metric, only?: readonly number[]): Interval;
}

/**
 * Measures every class on the same draws, once for all the intervals that are wanted.
 * @param metrics the metrics to measure; intervals of no others can be had
 * @param scores [n · classes] @param targets [n · classes] of 1, 0 or NaN (unknown), as for `summarize`
 * @throws MetricError as `summarize`, and for impossible options
 */
export function bootstrapMetrics(
  metrics: readonly Metric[],
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: Omit<BootstrapOptions, 'only'>,
): BootstrappedMetrics {
  const level = checkedLevel(options);
  const patients = numberPatients(options);
  const rankings = rankClasses(scores, targets, options);
  const measure = (weights?: Uint32Array) => measureClasses(metrics, rankings, options, weights);
  const estimates = measure();
  const draws = overDraws(options, measure, patients);
  const jackknife = leavingOut(options, measure, patients);
  return {
    mean(metric, only) {
      const chosen = checkedClasses(options, only);
      const at = metrics.indexOf(metric);
      if (at < 0) throw new MetricError(`${metric} was not measured, only ${metrics.join(', ')}.`);
      const mean = (values: Float64Array) =>
        meanOfDefined(chosen.map((c) => values[at * rankings.length + c] as number));
      const estimate = mean(estimates);
      // classes without the metric have a reason of their own, which matters where all are without it
      const counted = chosen.filter((c) => !Number.isNaN(estimates[at * rankings.length + c]));
      const reasons = (counted.length > 0 ? counted : chosen).map((c) =>
        whyNoInterval(metric, rankings[c] as Ranking, patients),
      );
      if (!reasons.includes(null)) return noInterval(estimate, level, 0, reasons[0] ?? 'there is no class');
      return bcaInterval({ estimate, draws: draws.map(mean), jackknife: jackknife.map(mean) }, level);
    },
  };
}

/**
 * Interval of how much higher the second model's macro mean is, both measured on the same draws, which cancels what both
 * find easy or hard. Zero outside the interval: the difference is unlikely to be luck of these patients.
 *
 * The interval is the percentile one. A draw moves the metrics of both models alike, so there is little bias for BCa to
 * correct, and between equal models BCa found a difference more often (docs/intervals.md).
 * @param first @param second [n · classes] scores of either model
 * @param targets [n · classes] of 1, 0 or NaN (unknown)
 * @throws MetricError as `summarize`, and for impossible options
 */
export function pairedBootstrapInterval(
  metric: Metric,
  first: ArrayLike<number>,
  second: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: BootstrapOptions,
): Interval {
  const level = checkedLevel(options);
  const chosen = checkedClasses(options, options.only);
  const macroMean = (scores: ArrayLike<number>) => {
    const all = rankClasses(scores, targets, options);
    const rankings = chosen.map((c) => all[c] as Ranking);
    return (weights?: Uint32Array) => meanOfDefined(measureClasses([metric], rankings, options, weights));
  };
  const [before, after] = [macroMean(first), macroMean(second)];
  const difference = (weights?: Uint32Array) => after(weights) - before(weights);
  return percentileInterval(difference(), overDraws(options, difference), level);
}

/**
 * Two-sided p-value of a difference being 0, of its draws: twice the smaller share of draws on one side of 0, never quite 0
 * (Davison & Hinkley 1997, section 4.2).
 */
export function bootstrapP(draws: readonly number[]): number {
  const defined = draws.filter((value) => !Number.isNaN(value));
  const share = (side: (value: number) => boolean) =>
    (1 + defined.filter(side).length) / (1 + defined.length);
  return Math.min(
    1,
    2 *
      Math.min(
        share((value) => value <= 0),
        share((value) => value >= 0),
      ),
  );
}

/** Why draws of patients say nothing of a class, or null where they do. @param counted the ranking, each image once */
export function whyNoInterval(
  metric: Metric,
  ranking: Ranking,
  { indexOf }: NumberedPatients,
  counted: Tally = tally(ranking),
): string | null {
  const reason = whyUndefined(metric, counted);
  if (reason !== null) return reason;
  const several = (counts: (positive: boolean) => boolean) => {
    let found = -1;
    return ranking.examples.some((example) => {
      if (!counts(isPositive(example))) return false;
      const patient = indexOf[rowOf(example)] as number;
      if (found >= 0 && found !== patient) return true;
      found = patient;
      return false;
    });
  };
  if (isOfProbabilities(metric)) return several(() => true) ? null : 'one patient alone has known targets';
  if (!several((positive) => positive)) return 'one patient alone has positives';
  return !needsNegatives(metric) || several((positive) => !positive)
    ? null
    : 'one patient alone has negatives';
}

export function checkedLevel({ level = 0.95 }: Pick<BootstrapOptions, 'level'>): number {
  if (!(level > 0 && level < 1)) throw new MetricError(`level ${level}: expected a number between 0 and 1.`);
  return level;
}

function checkedClasses({ classes }: MatrixShape, only?: readonly number[]): readonly number[] {
  if (only === undefined) return Array.from({ length: classes }, (_, c) => c);
  const wrong = only.find((c) => !(Number.isInteger(c) && c >= 0 && c < classes));
  if (wrong === undefined) return only;
  throw new MetricError(`class index ${wrong} is asked for, but there are ${classes} classes.`);
}
