/**
 * Student's t distribution for whole degrees of freedom, and intervals and tests of a mean over few repetitions, such as seeds.
 */

/** A mean with the interval in which the expected value lies at the given level. */
export interface MeanInterval {
  readonly mean: number;
  /** NaN, as is `high`, for fewer than two values. */
  readonly low: number;
  readonly high: number;
}

/** mean ± t·s/√n. */
export function meanInterval(values: readonly number[], level = 0.95): MeanInterval {
  const { mean, error } = meanAndError(values);
  const half = values.length < 2 ? Number.NaN : tQuantile((1 + level) / 2, values.length - 1) * error;
  return { mean, low: mean - half, high: mean + half };
}

/**
 * Two-sided p-value of the hypothesis that the expected value is 0 (one-sample t-test; of paired differences, the paired
 * one). NaN for fewer than two values; 1 where all are 0.
 */
export function tTest(values: readonly number[]): number {
  const { mean, error } = meanAndError(values);
  if (values.length < 2) return Number.NaN;
  if (error === 0) return mean === 0 ? 1 : 0;
  return 2 * (1 - tCdf(Math.abs(mean / error), values.length - 1));
}

/**
 * Probability of at most `t`: the finite series for whole ν of Abramowitz & Stegun, "Handbook of Mathematical Functions"
 * (1964), eqs. 26.7.3 and 26.7.4.
 * @param freedom ν ≥ 1, whole
 */
export function tCdf(t: number, freedom: number): number {
  const angle = Math.atan(t / Math.sqrt(freedom));
  const [sin, cos] = [Math.sin(angle), Math.cos(angle)];
  const odd = freedom % 2 === 1;
  let term = odd ? cos : 1;
  let sum = freedom === 1 ? 0 : term;
  for (let k = odd ? 3 : 2; k <= freedom - 2; k += 2) {
    term *= ((k - 1) / k) * cos * cos;
    sum += term;
  }
  // the probability between −t and t
  const within = odd ? (2 / Math.PI) * (angle + sin * sum) : sin * sum;
  return (1 + within) / 2;
}

/** The t below which lies a share `p` in (0, 1). */
export function tQuantile(p: number, freedom: number): number {
  if (p < 0.5) return -tQuantile(1 - p, freedom);
  let [low, high] = [0, 1];
  while (tCdf(high, freedom) < p) high *= 2;
  for (let i = 0; i < 100 && high - low > 1e-14 * high; i++) {
    const middle = (low + high) / 2;
    if (tCdf(middle, freedom) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Repetitions (seeds, readers) crossed with cases (patients): each repetition judges the same cases. */
export interface CrossedError {
  /** [repetitions] the value of each. */
  readonly values: readonly number[];
  /** Variance of their mean over other cases, such as that of its bootstrap draws. */
  readonly overCases: number;
  /** The same of a single repetition, on average. */
  readonly overCasesOfOne: number;
  readonly cases: number;
}

/** More degrees of freedom than these make no difference that anybody could see. */
const MANY = 10_000;

/**
 * Interval of the mean, and the two-sided p-value of the expected value being 0, over other cases and other repetitions
 * at once: the analysis of readers and cases as in radiology (Obuchowski & Rockette 1995; Gallas 2006).
 *
 * With variances C of cases, R of repetitions and X of what only this repetition makes of this case, the mean of r
 * repetitions over c cases has C/c + R/r + X/(rc). The values' own variance gives R/r + X/(rc), that over cases
 * C/c + X/(rc), and that of a single repetition C/c + X/c, so the part that is in both is known and counted once. Degrees of
 * freedom after Satterthwaite (1946), rounded down. NaN for a single repetition.
 */
export function crossedInterval(
  { values, overCases, overCasesOfOne, cases }: CrossedError,
  level = 0.95,
): MeanInterval & { readonly p: number } {
  const { mean, error } = meanAndError(values);
  const repetitions = values.length;
  if (repetitions < 2) return { mean, low: Number.NaN, high: Number.NaN, p: Number.NaN };
  const ofRepetitions = error ** 2;
  const inBoth = Math.max(0, (overCasesOfOne - overCases) / (repetitions - 1));
  const variance = Math.max(ofRepetitions, overCases, ofRepetitions + overCases - inBoth);
  if (variance === 0) return { mean, low: mean, high: mean, p: mean === 0 ? 1 : 0 };
  const spread =
    ofRepetitions ** 2 / (repetitions - 1) + (variance - ofRepetitions) ** 2 / Math.max(1, cases - 1);
  const freedom = Math.max(1, Math.floor(Math.min(MANY, variance ** 2 / spread)));
  const half = tQuantile((1 + level) / 2, freedom) * Math.sqrt(variance);
  const p = 2 * (1 - tCdf(Math.abs(mean) / Math.sqrt(variance), freedom));
  return { mean, low: mean - half, high: mean + half, p };
}

/** The mean with its standard error s/√n; NaN for a single value's. */
export function meanAndError(values: readonly number[]): { mean: number; error: number } {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, error: Math.sqrt(squares / (n - 1) / n) };
}
