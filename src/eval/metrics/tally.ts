import { MetricError } from './metric-error.js';

/**
 * All that a ranking or calibration metric needs: how many examples, and how many positives, score below each distinct score.
 * Tied examples share a level, so no metric can depend on their order; unknown targets (NaN) are gone. A bootstrap sorts
 * once and then only recounts with other weights: one walk over the sorted examples, after which a metric looks at the
 * levels that have positives, or searches for one level.
 */

/** The known examples of one class, sorted by score. Made once, counted as often as needed. */
export interface Ranking {
  /** The distinct scores, ascending. */
  readonly levels: Float64Array;
  /** The known examples by ascending score; see `rowOf`, `isPositive` and `endsLevel`. */
  readonly examples: Uint32Array;
  /** The levels that have a positive, ascending. */
  readonly positiveLevels: Uint32Array;
}

// an example is one number, since a draw reads all of them: its row, and two bits
const POSITIVE = 2;
const LAST_OF_LEVEL = 1;

/** The row (the image) of an example. */
export function rowOf(example: number): number {
  return example >>> 2;
}

/** Whether the example's target is positive. */
export function isPositive(example: number): boolean {
  return (example & POSITIVE) !== 0;
}

/** Whether the next example has a higher score. */
export function endsLevel(example: number): boolean {
  return (example & LAST_OF_LEVEL) !== 0;
}

/** Examples counted by level. */
export interface Tally {
  /** The distinct scores, ascending. */
  readonly levels: Float64Array;
  /** The levels that have a positive, ascending. */
  readonly positiveLevels: Uint32Array;
  /** [levels + 1]: number of examples that score less than each level; the last counts all. */
  readonly below: Uint32Array;
  /** [levels + 1]: the same of the positive ones. */
  readonly positivesBelow: Uint32Array;
  /** [levels + 1]: sum of the scores below each level. */
  readonly scoresBelow: Float64Array;
  readonly positiveTotal: number;
  readonly negativeTotal: number;
  /** Σ (score − target)². */
  readonly squaredError: number;
}

/**
 * Sorts one class's scores into levels. O(n log n), by the typed arrays' native sort.
 * @param scores [n] finite numbers
 * @param targets [n] of 1 (positive), 0 (negative) or NaN (unknown: left out)
 * @param options.name the class, for messages
 * @param options.perRow how many examples in a row belong to one row: 1, or all classes of an image when they are pooled
 * @throws MetricError naming the row of a NaN or infinite score, of a target that is not 0, 1 or NaN, or unequal lengths
 */
export function rankScores(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  { name, perRow = 1 }: { readonly name?: string; readonly perRow?: number } = {},
): Ranking {
  const n = scores.length;
  const where = name === undefined ? '' : ` of class "${name}"`;
  if (targets.length !== n) {
    throw new MetricError(`${n} scores${where} but ${targets.length} targets: there must be one for each.`);
  }
  const sorted = new Float64Array(n);
  let known = 0;
  for (let i = 0; i < n; i++) {
    const score = scores[i] as number;
    const target = targets[i] as number;
    if (!Number.isFinite(score)) {
      throw new MetricError(
        `the score${where} at row ${i} is ${score}: metrics need finite scores. A model that gives NaN or infinity ` +
          'has usually diverged: look at its loss, lower the learning rate or clip the gradient.',
      );
    }
    if (Number.isNaN(target)) continue;
    if (target !== 0 && target !== 1) {
      throw new MetricError(`the target${where} at row ${i} is ${target}: expected 0, 1 or NaN (unknown).`);
    }
    sorted[known++] = score;
  }
  const levels = distinct(sorted.subarray(0, known).sort());
  return { levels, ...sortByLevel(levels, known, { scores, targets, perRow }) };
}

/** Counting sort of the known examples. */
function sortByLevel(
  levels: Float64Array,
  known: number,
  {
    scores,
    targets,
    perRow,
  }: { readonly scores: ArrayLike<number>; readonly targets: ArrayLike<number>; readonly perRow: number },
): Omit<Ranking, 'levels'> {
  const levelOf = new Uint32Array(scores.length);
  // the place of each level's next example
  const next = new Uint32Array(levels.length + 1);
  const hasPositive = new Uint8Array(levels.length);
  for (let i = 0; i < scores.length; i++) {
    const target = targets[i] as number;
    if (Number.isNaN(target)) continue;
    const level = firstAtLeast(levels, scores[i] as number);
    levelOf[i] = level;
    next[level + 1] = (next[level + 1] as number) + 1;
    if (target === 1) hasPositive[level] = 1;
  }
  for (let level = 0; level < levels.length; level++) {
    next[level + 1] = (next[level + 1] as number) + (next[level] as number);
  }
  const examples = new Uint32Array(known);
  for (let i = 0; i < scores.length; i++) {
    const target = targets[i] as number;
    if (Number.isNaN(target)) continue;
    const level = levelOf[i] as number;
    const place = next[level] as number;
    next[level] = place + 1;
    examples[place] = (Math.floor(i / perRow) << 2) | (target === 1 ? POSITIVE : 0);
  }
  for (let level = 0; level < levels.length; level++) {
    const last = (next[level] as number) - 1;
    examples[last] = (examples[last] as number) | LAST_OF_LEVEL;
  }
  const positiveLevels = Uint32Array.from(levels.keys()).filter((level) => hasPositive[level] === 1);
  return { examples, positiveLevels };
}

/**
 * Counts the examples at each level.
 * @param weights [rows] whole numbers: how often each row counts; once when absent
 * @param reuse an earlier tally of this ranking, whose arrays are written anew: it is then no longer valid
 */
export function tally(ranking: Ranking, weights?: Uint32Array, reuse?: Tally): Tally {
  const { levels, examples, positiveLevels } = ranking;
  const size = levels.length + 1;
  const below = reuse?.below ?? new Uint32Array(size);
  const positivesBelow = reuse?.positivesBelow ?? new Uint32Array(size);
  const scoresBelow = reuse?.scoresBelow ?? new Float64Array(size);
  let [count, hits, scores, squaredError] = [0, 0, 0, 0];
  let level = 0;
  for (let k = 0; k < examples.length; k++) {
    const example = examples[k] as number;
    const weight = weights === undefined ? 1 : (weights[example >>> 2] as number);
    // without a branch, which would be foreseen badly
    const found = weight * ((example >> 1) & 1);
    const score = levels[level] as number;
    count += weight;
    hits += found;
    scores += weight * score;
    squaredError += (weight - found) * score * score + found * (1 - score) * (1 - score);
    if ((example & LAST_OF_LEVEL) !== 0) {
      level++;
      below[level] = count;
      positivesBelow[level] = hits;
      scoresBelow[level] = scores;
    }
  }
  return {
    levels,
    positiveLevels,
    below,
    positivesBelow,
    scoresBelow,
    positiveTotal: hits,
    negativeTotal: count - hits,
    squaredError,
  };
}

/** The first index of an ascending array whose value is at least `value`; its length where there is none. */
export function firstAtLeast(ascending: Float64Array | Uint32Array, value: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ascending[middle] as number) >= value) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The first level that is more than `value`; the number of levels where there is none. */
export function firstAbove(levels: Float64Array, value: number): number {
  const at = firstAtLeast(levels, value);
  // no two levels are equal
  return levels[at] === value ? at + 1 : at;
}

/** The first index for which `holds`, which holds for all that follow it, too; `length` where there is none. */
export function firstIndex(length: number, holds: (index: number) => boolean): number {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** What is called positive at and above a level. */
export function calledFrom(
  counted: Tally,
  level: number,
): { readonly hits: number; readonly called: number } {
  const { positiveTotal, negativeTotal, below, positivesBelow } = counted;
  return {
    hits: positiveTotal - (positivesBelow[level] as number),
    called: positiveTotal + negativeTotal - (below[level] as number),
  };
}

/** Keeps one of each value of a sorted array, in place (0 and −0 are one value). */
function distinct(sorted: Float64Array): Float64Array {
  let count = 0;
  for (const value of sorted) {
    if (count === 0 || value !== sorted[count - 1]) sorted[count++] = value;
  }
  return sorted.slice(0, count);
}
