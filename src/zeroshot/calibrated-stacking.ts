import type { MatrixShape } from '../eval/metrics/class-metrics.js';
import { classColumns, harmonicMean, type SeenAndUnseen } from './generalised.js';
import { ScoringError } from './scoring/scoring-error.js';

/**
 * Calibrated stacking (Chao et al. 2016, arXiv 1605.04253): a constant γ is taken off the scores of the seen classes, which
 * a model favours. A constant leaves the order of the images within a class as it is, so AP and AUROC cannot change. The
 * order of the classes within an image does, and is measured here: the share of the findings there are that stand among
 * the k highest scores of their image.
 */

/** Scores with `gamma` taken off the seen classes. @param scores [n, classes] */
export function stackScores(
  scores: ArrayLike<number>,
  gamma: number,
  { classNames, ...kinds }: Pick<MatrixShape, 'classNames'> & SeenAndUnseen,
): Float64Array {
  const { seen } = classColumns(classNames, kinds);
  const shifts = new Float64Array(classNames.length);
  for (const column of seen) shifts[column] = gamma;
  return Float64Array.from(scores, (score, i) => score - (shifts[i % classNames.length] as number));
}

export interface StackingPoint {
  readonly gamma: number;
  /** Share of the seen findings that stand among the k highest scores of their image. */
  readonly seen: number;
  readonly unseen: number;
  readonly harmonicMean: number;
}

export interface StackingCurve {
  /** One for each stretch of γ in which nothing changes, by ascending γ, which is its middle. */
  readonly points: readonly StackingPoint[];
  /** Under the curve of `unseen` over `seen`: 1 where γ can have both. */
  readonly area: number;
  /** The point that γ = 0 gives. */
  readonly unchanged: StackingPoint;
  /** The point with the highest harmonic mean; the nearest to γ = 0 among equal ones. */
  readonly best: StackingPoint;
}

/**
 * The exact curve over all γ.
 * @param scores [n, classes] finite @param targets [n, classes] of 1, 0 or NaN (unknown: not counted)
 * @throws ScoringError for impossible options, and where a kind has no positive target
 */
export function stackingCurve(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  { n, classes, classNames, k = 3, ...kinds }: MatrixShape & SeenAndUnseen & { readonly k?: number },
): StackingCurve {
  if (!(Number.isInteger(k) && k >= 1)) throw new ScoringError(`k ${k}: expected a positive integer.`);
  if (scores.length !== n * classes || targets.length !== n * classes) {
    throw new ScoringError(
      `${scores.length} scores and ${targets.length} targets for ${n} images × ${classes} classes.`,
    );
  }
  const odd = Array.prototype.findIndex.call(scores, (score) => !Number.isFinite(score));
  if (odd >= 0) {
    throw new ScoringError(
      `the score of class "${classNames[odd % classes]}" for image ${Math.floor(odd / classes)} is ${scores[odd]}.`,
    );
  }
  const columns = classColumns(classNames, kinds);
  // a seen finding is among the first k up to a γ, an unseen one above a γ; at a tie, the seen one has the place
  const [leaves, enters]: [number[], number[]] = [[], []];
  for (let i = 0; i < n; i++) {
    const sorted = (of: readonly number[]) =>
      of
        .map((c) => ({ score: scores[i * classes + c] as number, positive: targets[i * classes + c] === 1 }))
        .sort((a, b) => b.score - a.score);
    const [seen, unseen] = [sorted(columns.seen), sorted(columns.unseen)];
    for (const [above, { score, positive }] of seen.entries()) {
      if (positive)
        leaves.push(above >= k ? Number.NEGATIVE_INFINITY : score - scoreAt(unseen, k - 1 - above));
    }
    for (const [above, { score, positive }] of unseen.entries()) {
      if (positive) enters.push(above >= k ? Number.POSITIVE_INFINITY : scoreAt(seen, k - 1 - above) - score);
    }
  }
  if (leaves.length === 0) throw new ScoringError('no seen class has a positive target.');
  if (enters.length === 0) throw new ScoringError('no unseen class has a positive target.');
  const [left, entered] = [Float64Array.from(leaves).sort(), Float64Array.from(enters).sort()];
  const at = (gamma: number): StackingPoint => {
    const seen = 1 - below(left, gamma) / left.length;
    const unseen = below(entered, gamma) / entered.length;
    return { gamma, seen, unseen, harmonicMean: harmonicMean(seen, unseen) };
  };
  const critical = [...new Set([...left, ...entered])].filter(Number.isFinite).sort((a, b) => a - b);
  const [first = 0, last = 0] = [critical[0], critical.at(-1)];
  const middles = critical.slice(1).map((to, i) => (to + (critical[i] ?? to)) / 2);
  const points = (critical.length === 0 ? [0] : [first - 1, ...middles, last + 1]).map(at);
  let area = 0;
  // left of the last point, the curve goes on at its height
  let before: StackingPoint | undefined;
  for (const point of points) {
    if (before) area += ((before.unseen + point.unseen) / 2) * (before.seen - point.seen);
    before = point;
  }
  if (before) area += before.seen * before.unseen;
  const best = points.reduce((a, b) =>
    b.harmonicMean > a.harmonicMean ||
    (b.harmonicMean === a.harmonicMean && Math.abs(b.gamma) < Math.abs(a.gamma))
      ? b
      : a,
  );
  return { points, area, unchanged: at(0), best };
}

/** −∞ past the end: there is nothing left that could take the place. */
function scoreAt(sorted: readonly { readonly score: number }[], place: number): number {
  return sorted[place]?.score ?? Number.NEGATIVE_INFINITY;
}

/** How many values of an ascending array are smaller. */
function below(ascending: Float64Array, limit: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ascending[middle] as number) < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
