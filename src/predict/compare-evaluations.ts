import type { DataPart } from '../data/tables/data-source.js';
import { type ComparedScores, compareScores } from '../eval/metrics/compare-scores.js';
import { type GroupedBy, groupClasses } from './evaluation.js';
import { EvaluationError, type JoinedScores, joinLabels } from './labelled-scores.js';
import type { Predictions } from './predictions.js';

/** Predictions with their labels, and the prevalence of their classes in training where it is known. */
export interface ComparedSubject {
  readonly predictions: Predictions;
  readonly parts: readonly DataPart[];
  readonly trainingPrevalence?: readonly (number | null)[] | undefined;
}

/** What only one of two subjects has. */
export interface OnlyIn {
  readonly first: readonly string[];
  readonly second: readonly string[];
}

/** Two subjects held against each other on the images and classes that both have. */
export interface ComparedEvaluations extends ComparedScores {
  readonly unmatched: { readonly images: OnlyIn; readonly classes: OnlyIn };
  /** Images that one of the two could not read: they are in no metric. */
  readonly unreadable: readonly string[];
  /** Labels that differ between the subjects' own tables; those of the first are used. */
  readonly differentLabels: number;
  readonly groupedBy: GroupedBy;
}

export interface CompareEvaluationsOptions {
  /** [classes of the first] for F1 at thresholds of the classes' own. */
  readonly thresholds?: readonly number[] | undefined;
  readonly specificities?: readonly number[] | undefined;
  /** Draws of the bootstrap; by default 1000, or more where many classes need more. */
  readonly resamples?: number | undefined;
}

/**
 * @throws EvaluationError where no image or no class is in both, and as `joinLabels`; MetricError for scores that are no
 *   numbers
 */
export function compareEvaluations(
  first: ComparedSubject,
  second: ComparedSubject,
  options: CompareEvaluationsOptions = {},
): ComparedEvaluations {
  const [a, b] = [joinLabels(first.predictions, first.parts), joinLabels(second.predictions, second.parts)];
  const unread = new Set([...a.unreadable, ...b.unreadable]);
  const images = matchNames(a.images, b.images);
  const classes = matchNames(first.predictions.classes, second.predictions.classes);
  if (classes.names.length === 0)
    throw new EvaluationError('no class is in both: there is nothing to compare.');
  if (images.names.length === 0) {
    throw new EvaluationError(
      `no image has labels and scores in both (${a.n} and ${b.n} have in one): there is nothing to compare.`,
    );
  }
  const pick = (matrix: Float32Array, side: 0 | 1) => {
    const width = (side === 0 ? first : second).predictions.classes.length;
    return Float32Array.from(
      images.places.flatMap((row) =>
        classes.places.map((column) => matrix[row[side] * width + column[side]] as number),
      ),
    );
  };
  const targets = pick(a.targets, 0);
  const otherTargets = pick(b.targets, 1);
  const ofFirst = <T>(values: readonly T[]) => classes.places.map(([column]) => values[column] as T);
  const joined: JoinedScores = {
    n: images.names.length,
    images: images.names,
    patients: images.places.map(([row]) => a.patients[row] ?? null),
    scores: pick(a.scores, 0),
    targets,
    subgroups: [],
    unreadable: [],
  };
  const { trainingPrevalence } = first;
  const { groups, groupedBy } = groupClasses(
    joined,
    classes.names,
    trainingPrevalence && ofFirst(trainingPrevalence),
  );
  const { thresholds, specificities, resamples } = options;
  const read = (names: readonly string[]) => names.filter((name) => !unread.has(name));
  return {
    ...compareScores(joined.scores, pick(b.scores, 1), targets, {
      n: joined.n,
      classes: classes.names.length,
      classNames: classes.names,
      patients: joined.patients,
      groups,
      specificities,
      thresholds: thresholds && ofFirst(thresholds),
      ...(resamples !== undefined && { resamples }),
    }),
    unmatched: {
      images: { first: read(images.only.first), second: read(images.only.second) },
      classes: classes.only,
    },
    unreadable: [...unread],
    differentLabels: targets.filter((label, i) => !Object.is(label, otherTargets[i])).length,
    groupedBy,
  };
}

/** Names that are in both lists, in the first's order, with their places in either. */
function matchNames(first: readonly string[], second: readonly string[]) {
  const placeIn = new Map(second.map((name, place) => [name, place]));
  const shared = first.flatMap((name, place) => {
    const other = placeIn.get(name);
    return other === undefined ? [] : [{ name, place: [place, other] as const }];
  });
  const names = new Set(shared.map(({ name }) => name));
  const only = (list: readonly string[]) => list.filter((name) => !names.has(name));
  return {
    names: [...names],
    places: shared.map(({ place }) => place),
    only: { first: only(first), second: only(second) },
  };
}
