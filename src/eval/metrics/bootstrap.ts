import { Random } from '../../engine/random.js';
import {
  classMetric,
  type MatrixShape,
  type MetricName,
  type MetricSettings,
  meanOfDefined,
  rankClasses,
} from './class-metrics.js';
import { MetricError } from './metric-error.js';
import { type Ranking, tally } from './tally.js';

/**
 * How sure a macro mean is: percentile bootstrap (Efron 1979) over patients. Images of one person are not independent, so
 * persons are drawn with replacement and bring all their images; drawing images would give intervals that are too narrow.
 * Two models are compared on the same draws, which cancels what both find easy or hard.
 */

export interface BootstrapOptions extends MatrixShape, MetricSettings {
  /** [n]: whose image each row is; null (or no list) takes the image as a patient of its own. */
  readonly patients?: readonly (string | number | null)[];
  /** Number of draws; 1,000 when absent. */
  readonly resamples?: number;
  /** Coverage of the interval in (0, 1); 0.95 when absent. */
  readonly level?: number;
  /** The same seed gives the same interval; 0 when absent. */
  readonly seed?: number;
  /** Indices of the classes to average over; all when absent. */
  readonly only?: readonly number[];
}

/** A value with the range in which it lies at the given level. */
export interface Interval {
  /** On the data as they are. */
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
  readonly level: number;
  /** Draws in which the metric was defined for at least one class; the interval rests on these. */
  readonly resamples: number;
}

/**
 * Interval of a macro mean. In each draw, a class that lost all its positives is left out of that draw's mean.
 * @param scores [n · classes] @param targets [n · classes] of 1, 0 or NaN (unknown), as for `summarize`
 * @throws MetricError as `summarize`, and for impossible options
 */
export function bootstrapInterval(
  metric: MetricName,
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: BootstrapOptions,
): Interval {
  const rankings = chosenRankings(scores, targets, options);
  return interval(options, (weights) => macroMean(metric, rankings, options, weights));
}

/**
 * Interval of how much higher the second model's macro mean is, both measured on the same draws. Zero outside the
 * interval: the difference is unlikely to be luck of these patients.
 * @param first @param second [n · classes] scores of either model
 * @param targets [n · classes] of 1, 0 or NaN (unknown)
 * @throws MetricError as `summarize`, and for impossible options
 */
export function pairedBootstrapInterval(
  metric: MetricName,
  first: ArrayLike<number>,
  second: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: BootstrapOptions,
): Interval {
  const before = chosenRankings(first, targets, options);
  const after = chosenRankings(second, targets, options);
  return interval(
    options,
    (weights) => macroMean(metric, after, options, weights) - macroMean(metric, before, options, weights),
  );
}

/**
 * Interval of one metric of each class on its own, all on the same draws. A class that a draw leaves without what the
 * metric needs rests on the other draws (`resamples` says how many); NaN where no draw has it.
 * @returns [classes] @throws MetricError as `bootstrapInterval`
 */
export function bootstrapClassIntervals(
  metric: MetricName,
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: BootstrapOptions,
): Interval[] {
  const rankings = chosenRankings(scores, targets, options);
  return intervals(options, (weights) =>
    rankings.map((ranking) => classMetric(metric, tally(ranking, weights), options)),
  );
}

function chosenRankings(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: BootstrapOptions,
): Ranking[] {
  const all = rankClasses(scores, targets, options);
  if (options.only === undefined) return all;
  return options.only.map((c) => {
    const ranking = all[c];
    if (ranking === undefined) {
      throw new MetricError(`class index ${c} is asked for, but there are ${all.length} classes.`);
    }
    return ranking;
  });
}

function macroMean(
  metric: MetricName,
  rankings: readonly Ranking[],
  settings: MetricSettings,
  weights?: Uint32Array,
): number {
  return meanOfDefined(rankings.map((ranking) => classMetric(metric, tally(ranking, weights), settings)));
}

function interval(options: BootstrapOptions, statistic: (weights?: Uint32Array) => number): Interval {
  const [only] = intervals(options, (weights) => [statistic(weights)]);
  return only as Interval;
}

/** Of several statistics, each over the draws in which it is defined. */
function intervals(options: BootstrapOptions, statistics: (weights?: Uint32Array) => number[]): Interval[] {
  const { level = 0.95 } = options;
  if (!(level > 0 && level < 1)) throw new MetricError(`level ${level}: expected a number between 0 and 1.`);
  const { estimates, draws } = bootstrap(options, statistics);
  return estimates.map((estimate, i) => {
    const values = draws.map((draw) => draw[i] ?? Number.NaN);
    return percentileInterval(estimate, values, level);
  });
}

/** The middle of the defined draws that holds a share `level` of them. */
export function percentileInterval(estimate: number, draws: readonly number[], level: number): Interval {
  const sorted = Float64Array.from(draws.filter((value) => !Number.isNaN(value))).sort();
  return {
    estimate,
    low: quantile(sorted, (1 - level) / 2),
    high: quantile(sorted, (1 + level) / 2),
    level,
    resamples: sorted.length,
  };
}

export interface PatientDraws extends Pick<BootstrapOptions, 'patients' | 'resamples' | 'seed'> {
  /** Number of images. */
  readonly n: number;
}

/**
 * Statistics of the data as they are, and of each draw of patients.
 * @param statistics of images that count `weights` times ([n]), once each when absent
 * @throws MetricError for impossible options
 */
export function bootstrap(
  { n, patients, resamples = 1000, seed = 0 }: PatientDraws,
  statistics: (weights?: Uint32Array) => number[],
): { estimates: number[]; draws: number[][] } {
  if (!Number.isInteger(resamples) || resamples < 1) {
    throw new MetricError(`${resamples} bootstrap draws: expected a positive integer.`);
  }
  if (patients !== undefined && patients.length !== n) {
    throw new MetricError(`${patients.length} patients for ${n} images: give one for each image.`);
  }
  const patientOf = numberPatients(n, patients);
  const draws = Array.from({ length: resamples }, (_, draw) =>
    statistics(drawPatients(patientOf, new Random(seed, 'bootstrap', draw))),
  );
  return { estimates: statistics(), draws };
}

interface Patients {
  readonly count: number;
  /** [n] */
  readonly indexOf: Uint32Array;
}

function numberPatients(n: number, patients: BootstrapOptions['patients']): Patients {
  const indexOf = new Uint32Array(n);
  const seen = new Map<string | number, number>();
  let count = 0;
  for (let i = 0; i < n; i++) {
    const patient = patients?.[i] ?? null;
    let index = patient === null ? undefined : seen.get(patient);
    if (index === undefined) {
      index = count++;
      if (patient !== null) seen.set(patient, index);
    }
    indexOf[i] = index;
  }
  return { count, indexOf };
}

/** [n]: how often each image is in one draw of as many patients as there are, with replacement. */
function drawPatients({ count, indexOf }: Patients, random: Random): Uint32Array {
  const times = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const drawn = random.int(count);
    times[drawn] = (times[drawn] as number) + 1;
  }
  return indexOf.map((patient) => times[patient] as number);
}

/** Quantile of an ascending array with linear interpolation (Hyndman & Fan's type 7, numpy's default); NaN if empty. */
function quantile(ascending: Float64Array, q: number): number {
  const position = q * (ascending.length - 1);
  const below = Math.floor(position);
  const low = ascending[below] ?? Number.NaN;
  const high = ascending[Math.min(below + 1, ascending.length - 1)] ?? Number.NaN;
  return low + (high - low) * (position - below);
}
