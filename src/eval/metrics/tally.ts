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
  /** [levels + 1]: the place of each level's first example in `rows` and `positive`; the last is their number. */
  readonly starts: Uint32Array;
  /** The row (the image) of each known example, by ascending score. */
  readonly rows: Uint32Array;
  /** 1 where that example's target is positive. */
  readonly positive: Uint8Array;
  /** The levels that have a positive, ascending. */
  readonly positiveLevels: Uint32Array;
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
  const starts = new Uint32Array(levels.length + 1);
  for (let i = 0; i < scores.length; i++) {
    if (Number.isNaN(targets[i] as number)) continue;
    const level = firstAtLeast(levels, scores[i] as number);
    levelOf[i] = level;
    starts[level + 1] = (starts[level + 1] as number) + 1;
  }
  for (let level = 0; level < levels.length; level++) {
    starts[level + 1] = (starts[level + 1] as number) + (starts[level] as number);
  }
  const rows = new Uint32Array(known);
  const positive = new Uint8Array(known);
  const next = starts.slice();
  for (let i = 0; i < scores.length; i++) {
    const target = targets[i] as number;
    if (Number.isNaN(target)) continue;
    const level = levelOf[i] as number;
    const place = next[level] as number;
    next[level] = place + 1;
    rows[place] = Math.floor(i / perRow);
    positive[place] = target;
  }
  const hasPositive = (level: number) => {
    for (let k = starts[level] as number; k < (starts[level + 1] as number); k++) {
      if (positive[k] === 1) return true;
    }
    return false;
  };
  const positiveLevels = Uint32Array.from(levels.keys()).filter(hasPositive);
  return { starts, rows, positive, positiveLevels };
}

/**
 * Counts the examples at each level.
 * @param weights [rows] whole numbers: how often each row counts; once when absent
 * @param reuse an earlier tally of this ranking, whose arrays are written anew: it is then no longer valid
 */
export function tally(ranking: Ranking, weights?: Uint32Array, reuse?: Tally): Tally {
  const { levels, starts, rows, positive, positiveLevels } = ranking;
  const size = levels.length + 1;
  const below = reuse?.below ?? new Uint32Array(size);
  const positivesBelow = reuse?.positivesBelow ?? new Uint32Array(size);
  const scoresBelow = reuse?.scoresBelow ?? new Float64Array(size);
  let [count, hits, scores, squaredError] = [0, 0, 0, 0];
  let k = 0;
  for (let level = 0; level < levels.length; level++) {
    below[level] = count;
    positivesBelow[level] = hits;
    scoresBelow[level] = scores;
    const score = levels[level] as number;
    const end = starts[level + 1] as number;
    let [here, found] = [0, 0];
    for (; k < end; k++) {
      const weight = weights === undefined ? 1 : (weights[rows[k] as number] as number);
      here += weight;
      if (positive[k] === 1) found += weight;
    }
    count += here;
    hits += found;
    scores += here * score;
    squaredError += (here - found) * score * score + found * (1 - score) * (1 - score);
  }
  below[levels.length] = count;
  positivesBelow[levels.length] = hits;
  scoresBelow[levels.length] = scores;
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
  return firstIndex(ascending.length, (at) => (ascending[at] as number) >= value);
}

/** The first index of an ascending array whose value is more than `value`; its length where there is none. */
export function firstAbove(ascending: Float64Array | Uint32Array, value: number): number {
  return firstIndex(ascending.length, (at) => (ascending[at] as number) > value);
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
