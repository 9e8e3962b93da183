/**
 * The curve of a learning-rate range test (Smith 2017, arXiv 1506.01186): the loss of one step at each of many rates, each
 * a constant factor above the one before. Smoothed as usual, by an exponential mean with bias correction (Adam's). For the
 * curve it goes forwards and backwards, with a shorter memory: a mean that looks back alone shows every loss some rates too
 * late, and would suggest rates that are too high.
 */
export interface RateRange {
  readonly from: number;
  readonly to: number;
  /** Rates to try, both ends included. */
  readonly steps: number;
}

export interface RatePoint {
  readonly rate: number;
  readonly loss: number;
  readonly smoothed: number;
}

/** Learning rates that the curve suggests; null where the loss does not fall on it. */
export interface RateSuggestions {
  /** Where the loss falls fastest by the logarithm of the rate. */
  readonly steepest: number;
  readonly tenthOfMinimum: number;
  /** The rate with the least loss. */
  readonly minimum: number;
}

/** Weight of the mean so far: to see whether the loss runs away, and in each direction for the curve. */
const MEMORY = 0.9;
const CURVE_MEMORY = 0.75;

/** How many times its least the loss may be before the test ends. */
export const RUNAWAY = 4;

/** Part of the loss at the start by which it must fall for the curve to say anything. */
const LEAST_FALL = 0.01;

/** Part of the fall after which the loss counts as falling. */
const STARTED = 0.2;

export function rateOf({ from, to, steps }: RateRange, step: number): number {
  return from * (to / from) ** (step / (steps - 1));
}

/** An exponential mean of all values up to each, with bias correction. */
export function smooth(values: readonly number[], memory: number): number[] {
  let [mean, weight] = [0, 0];
  return values.map((value) => {
    mean = memory * mean + (1 - memory) * value;
    weight = memory * weight + (1 - memory);
    return mean / weight;
  });
}

/** Whether the loss has run away by now: no rate beyond is worth a step. */
export function runsAway(losses: readonly number[]): boolean {
  const smoothed = smooth(losses, MEMORY);
  const last = smoothed.at(-1);
  return last !== undefined && last > RUNAWAY * Math.min(...smoothed);
}

export function rateCurve(range: RateRange, losses: readonly number[]): RatePoint[] {
  const smoothed = smooth(smooth(losses, CURVE_MEMORY).reverse(), CURVE_MEMORY).reverse();
  return losses.map((loss, i) => ({ rate: rateOf(range, i), loss, smoothed: smoothed[i] ?? loss }));
}

export function suggestRates(points: readonly RatePoint[]): RateSuggestions | null {
  const values = points.map(({ smoothed }) => smoothed);
  const least = Math.min(...values);
  const minimum = values.indexOf(least);
  const start = values[0] ?? Number.NaN;
  if (!(least < start - LEAST_FALL * Math.abs(start))) return null;
  const reach = Math.max(1, Math.round(points.length / 25));
  // before its fall the curve is noise around the level of the start, which has slopes, too
  const falls = values.findLastIndex((value, i) => i < minimum && value >= start - STARTED * (start - least));
  let [steepest, slope] = [minimum, 0];
  for (let i = Math.max(reach, falls); i <= minimum; i++) {
    const here = slopeAround(points, i, reach);
    if (here < slope) [steepest, slope] = [i, here];
  }
  const rate = (i: number) => points[i]?.rate ?? Number.NaN;
  return { steepest: rate(steepest), tenthOfMinimum: rate(minimum) / 10, minimum: rate(minimum) };
}

/** Of the line through the points up to `reach` away, by least squares, over the logarithm of the rate. */
function slopeAround(points: readonly RatePoint[], at: number, reach: number): number {
  const near = points.slice(Math.max(0, at - reach), at + reach + 1);
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const logs = near.map(({ rate }) => Math.log10(rate));
  const [x, y] = [mean(logs), mean(near.map(({ smoothed }) => smoothed))];
  let [across, along] = [0, 0];
  for (const [i, { smoothed }] of near.entries()) {
    const dx = (logs[i] ?? x) - x;
    across += dx * (smoothed - y);
    along += dx * dx;
  }
  return across / along;
}
