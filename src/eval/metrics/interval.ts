import { normalCdf, normalQuantile } from './normal.js';

/** From bootstrap draws to an interval: the percentile interval, and the better one of Efron (1987), BCa. */

/** A value with the range in which it lies at the given level. */
export interface Interval {
  /** On the data as they are. */
  readonly estimate: number;
  /** NaN, as is `high`, where there is no interval. */
  readonly low: number;
  readonly high: number;
  readonly level: number;
  /** Draws in which the metric was defined; the interval rests on these. 0 where it rests on none, as DeLong's. */
  readonly resamples: number;
  /** How it was made; absent where there is none. */
  readonly method?: 'BCa' | 'percentile' | 'DeLong';
  /** Why there is no interval, such as "one patient alone has positives"; null where there is one. */
  readonly whyMissing: string | null;
}

/** A statistic measured again on other versions of the data; NaN where a version leaves it undefined. */
export interface Resampled {
  readonly estimate: number;
  /** On patients drawn with replacement. */
  readonly draws: readonly number[];
  /** With one patient, or one group of patients of equal size, left out at a time. */
  readonly jackknife: readonly number[];
}

/**
 * Bias-corrected and accelerated interval (Efron 1987; Efron & Tibshirani 1993, eqs. 14.9 to 14.15). Draws with
 * replacement repeat some positives and lose others, which moves average precision as a whole: the correction by z₀ moves
 * it back. The acceleration stretches the side on which the estimate is less sure.
 *
 * The estimate lies strictly between `low` and `high`. Where it would not, there is no interval, and `whyMissing` says so.
 */
export function bcaInterval({ estimate, draws, jackknife }: Resampled, level: number): Interval {
  const ascending = defined(draws).sort();
  const count = ascending.length;
  if (Number.isNaN(estimate) || count === 0) {
    return noInterval(estimate, level, count, 'the metric is not defined');
  }
  if (ascending[0] === ascending[count - 1]) {
    return noInterval(estimate, level, count, 'every draw of patients gives the same value');
  }
  const z0 = biasCorrection(estimate, ascending);
  const a = acceleration(jackknife);
  const end = (z: number) => quantile(ascending, normalCdf(z0 + accelerated(z0 + z, a)));
  const z = normalQuantile((1 + level) / 2);
  const [low, high] = [end(-z), end(z)];
  if (!(low < estimate && estimate < high)) {
    return noInterval(estimate, level, count, 'the draws of patients lie on one side of the value');
  }
  return { estimate, low, high, level, resamples: count, method: 'BCa', whyMissing: null };
}

/** The middle of the defined draws that holds a share `level` of them. */
export function percentileInterval(estimate: number, draws: readonly number[], level: number): Interval {
  const ascending = defined(draws).sort();
  if (ascending.length === 0) return noInterval(estimate, level, 0, 'the metric is not defined');
  return {
    estimate,
    low: quantile(ascending, (1 - level) / 2),
    high: quantile(ascending, (1 + level) / 2),
    level,
    resamples: ascending.length,
    method: 'percentile',
    whyMissing: null,
  };
}

export function noInterval(estimate: number, level: number, resamples: number, whyMissing: string): Interval {
  return { estimate, low: Number.NaN, high: Number.NaN, level, resamples, whyMissing };
}

/**
 * z₀: the share of draws below the estimate, as a normal deviate. Draws equal to the estimate count half, as scores with
 * ties give many of them.
 */
export function biasCorrection(estimate: number, draws: ArrayLike<number>): number {
  let below = 0;
  for (let i = 0; i < draws.length; i++) {
    const draw = draws[i] as number;
    if (draw < estimate) below += 1;
    else if (draw === estimate) below += 0.5;
  }
  return normalQuantile(below / draws.length);
}

/**
 * a = Σ d³ / (6 (Σ d²)^1.5), where d is how far the value without a patient lies below the mean of such values. Groups of
 * equal size have the same a on average: the second and third moments of sums are sums of moments. 0 where nothing moves.
 */
export function acceleration(jackknife: readonly number[]): number {
  const values = defined(jackknife);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  let [squares, cubes] = [0, 0];
  for (const value of values) {
    squares += (mean - value) ** 2;
    cubes += (mean - value) ** 3;
  }
  return squares > 0 ? cubes / (6 * squares ** 1.5) : 0;
}

/** z / (1 − a z), which runs off to infinity where the stretching passes it. */
function accelerated(z: number, a: number): number {
  const divisor = 1 - a * z;
  return divisor > 0 ? z / divisor : Math.sign(z) * Number.POSITIVE_INFINITY;
}

function defined(values: readonly number[]): Float64Array {
  return Float64Array.from(values.filter((value) => !Number.isNaN(value)));
}

/** Quantile of an ascending array with linear interpolation (Hyndman & Fan's type 7, numpy's default); NaN if empty. */
function quantile(ascending: Float64Array, q: number): number {
  const position = q * (ascending.length - 1);
  const below = Math.floor(position);
  const low = ascending[below] ?? Number.NaN;
  const high = ascending[Math.min(below + 1, ascending.length - 1)] ?? Number.NaN;
  return low + (high - low) * (position - below);
}
