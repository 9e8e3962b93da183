import { MetricError } from './metric-error.js';

/**
 * All that a ranking or calibration metric needs: the number of positives and of negatives at each distinct score.
 * Tied examples share a level, so no metric can depend on their order; unknown targets (NaN) are gone;
 * and a bootstrap only recounts with other weights instead of sorting again.
 */

/** The known examples of one class, each pointing to the level of its score. Made once, counted as often as needed. */
export interface Ranking {
  /** The distinct scores of known examples, ascending. */
  readonly levels: Float64Array;
  /** [n]: index into `levels`, or `UNKNOWN` where the target is unknown. */
  readonly levelOf: Uint32Array;
  /** [n]: 1 where the target is positive. */
  readonly positive: Uint8Array;
}

/** Weight of positives and negatives at each level (ascending by score), and in all. */
export interface Tally {
  readonly levels: Float64Array;
  readonly positives: Float64Array;
  readonly negatives: Float64Array;
  readonly positiveTotal: number;
  readonly negativeTotal: number;
}

/** Marks an example whose target is unknown. */
export const UNKNOWN = 0xffffffff;

/**
 * Sorts one class's scores into levels. O(n log n), by the typed arrays' native sort.
 * @param scores [n] finite numbers
 * @param targets [n] of 1 (positive), 0 (negative) or NaN (unknown: left out)
 * @param name the class, for messages
 * @throws MetricError naming the row of a NaN or infinite score, of a target that is not 0, 1 or NaN, or unequal lengths
 */
export function rankScores(scores: ArrayLike<number>, targets: ArrayLike<number>, name?: string): Ranking {
  const n = scores.length;
  const where = name === undefined ? '' : ` of class "${name}"`;
  if (targets.length !== n) {
    throw new MetricError(`${n} scores${where} but ${targets.length} targets: there must be one for each.`);
  }
  const known = new Float64Array(n);
  const positive = new Uint8Array(n);
  const levelOf = new Uint32Array(n);
  let knownCount = 0;
  for (let i = 0; i < n; i++) {
    const score = scores[i] as number;
    const target = targets[i] as number;
    if (!Number.isFinite(score)) {
      throw new MetricError(
        `the score${where} at row ${i} is ${score}: metrics need finite scores. A model that gives NaN or infinity ` +
          'has usually diverged: look at its loss, lower the learning rate or clip the gradient.',
      );
    }
    if (Number.isNaN(target)) {
      levelOf[i] = UNKNOWN;
    } else if (target === 0 || target === 1) {
      known[knownCount++] = score;
      positive[i] = target;
    } else {
      throw new MetricError(`the target${where} at row ${i} is ${target}: expected 0, 1 or NaN (unknown).`);
    }
  }
  const levels = distinct(known.subarray(0, knownCount).sort());
  for (let i = 0; i < n; i++) {
    if (levelOf[i] !== UNKNOWN) levelOf[i] = search(levels, scores[i] as number);
  }
  return { levels, levelOf, positive };
}

/**
 * Counts positives and negatives at each level.
 * @param weights [n] how often each example counts; once when absent
 */
export function tally(ranking: Ranking, weights?: ArrayLike<number>): Tally {
  const { levels, levelOf, positive } = ranking;
  const positives = new Float64Array(levels.length);
  const negatives = new Float64Array(levels.length);
  let positiveTotal = 0;
  let negativeTotal = 0;
  for (let i = 0; i < levelOf.length; i++) {
    const level = levelOf[i] as number;
    if (level === UNKNOWN) continue;
    const weight = weights === undefined ? 1 : (weights[i] as number);
    if (positive[i] === 1) {
      positives[level] = (positives[level] as number) + weight;
      positiveTotal += weight;
    } else {
      negatives[level] = (negatives[level] as number) + weight;
      negativeTotal += weight;
    }
  }
  return { levels, positives, negatives, positiveTotal, negativeTotal };
}

/** Keeps one of each value of a sorted array, in place (0 and −0 are one value). */
function distinct(sorted: Float64Array): Float64Array {
  let count = 0;
  for (const value of sorted) {
    if (count === 0 || value !== sorted[count - 1]) sorted[count++] = value;
  }
  return sorted.slice(0, count);
}

/** Index of a value that is known to be present in an ascending array. */
function search(ascending: Float64Array, value: number): number {
  let low = 0;
  let high = ascending.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ascending[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
