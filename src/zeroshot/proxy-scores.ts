import type { BoundRule, SeenScores } from './scoring/rule.js';
import { columnsOf, type PreparedScoring, scoreByLists } from './scoring/score-zeroshot.js';

/**
 * Scores of classes that are held out in turn. While a class is held out, the rules get no seen score of its fold.
 * @returns [n, held-out classes] for each list, the columns in the order of the folds
 */
export function scoreHeldOut(
  prepared: PreparedScoring,
  lists: readonly (readonly BoundRule[])[],
  folds: readonly (readonly string[])[],
): Float64Array[] {
  const { n, layout } = prepared;
  const classes = folds.flat();
  const results = lists.map(() => new Float64Array(n * classes.length));
  const fill = (members: readonly number[], given: PreparedScoring, names: readonly string[]) => {
    const columns = columnsOf(layout, names);
    const places = names.map((name) => classes.indexOf(name));
    const scored = scoreByLists(
      given,
      members.map((member) => lists[member] ?? []),
    );
    for (const [m, member] of members.entries()) {
      const [from, to] = [scored[m] as Float64Array, results[member] as Float64Array];
      for (const [j, column] of columns.entries()) {
        const place = places[j] as number;
        for (let i = 0; i < n; i++) {
          to[i * classes.length + place] = from[i * layout.classes.length + column] as number;
        }
      }
    }
  };
  // folds matter only to rules that read the seen model's scores
  const readsSeen = (member: number) => lists[member]?.some(({ rule }) => rule.needsSeen) ?? false;
  const members = [...lists.keys()];
  fill(
    members.filter((member) => !readsSeen(member)),
    prepared,
    classes,
  );
  const reading = members.filter(readsSeen);
  if (reading.length === 0) return results;
  for (const fold of folds) fill(reading, { ...prepared, seen: without(prepared.seen, fold, n) }, fold);
  return results;
}

function without(seen: SeenScores | undefined, hidden: readonly string[], n: number): SeenScores | undefined {
  if (seen === undefined || seen.scores.length !== n * seen.classes.length) return seen;
  const kept = [...seen.classes.keys()].filter((c) => !hidden.includes(seen.classes[c] ?? ''));
  return {
    classes: kept.map((c) => seen.classes[c] ?? ''),
    scores: gatherColumns(seen.scores, seen.classes.length, n, kept),
  };
}

/** [n, columns] of a matrix [n, stride]. */
export function gatherColumns(
  matrix: ArrayLike<number>,
  stride: number,
  n: number,
  columns: readonly number[],
): Float64Array {
  return Float64Array.from({ length: n * columns.length }, (_, at) => {
    const row = Math.floor(at / columns.length);
    return matrix[row * stride + (columns[at % columns.length] ?? 0)] ?? Number.NaN;
  });
}
