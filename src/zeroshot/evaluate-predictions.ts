import type { DataPart } from '../data/tables/data-source.js';
import { joinLabels } from '../predict/labelled-scores.js';
import type { Predictions } from '../predict/predictions.js';
import { type StackingCurve, type StackingPoint, stackingCurve, stackScores } from './calibrated-stacking.js';
import { classColumns, evaluateGeneralised, type GeneralisedEvaluation } from './generalised.js';
import { ScoringError } from './scoring/scoring-error.js';

/** Predictions of seen and unseen classes held against labels of both. */
export interface GeneralisedOptions {
  /** Names of the unseen classes; all others with labels are seen. */
  readonly unseen: readonly string[];
  /** Highest scores of an image among which a finding counts as found; default 3. */
  readonly k?: number;
  /** To be taken off the seen classes' scores: a constant that was chosen on other labels. */
  readonly gamma?: number | undefined;
  readonly resamples?: number;
}

export interface GeneralisedResult {
  readonly metrics: GeneralisedEvaluation;
  readonly stacking: StackingCurve;
  /** With `gamma`. */
  readonly given: StackingPoint | undefined;
  readonly seen: readonly string[];
  /** Predicted classes that have no column of labels; they are in no number. */
  readonly leftOut: readonly string[];
  readonly images: number;
  /** Labelled images whose row has a note instead of scores. */
  readonly unreadable: readonly string[];
}

/**
 * @throws ScoringError for an unseen class without predictions or labels, and where no seen class is left; EvaluationError
 * as `joinLabels`
 */
export function evaluateSeenAndUnseen(
  predictions: Predictions,
  parts: readonly DataPart[],
  { unseen, k = 3, gamma, resamples = 1000 }: GeneralisedOptions,
): GeneralisedResult {
  const { classes } = predictions;
  const labelled = (name: string) => parts.every(({ table }) => table.classes.includes(name));
  const others = classes.filter((name) => !unseen.includes(name));
  const kinds = { seen: others.filter(labelled), unseen };
  classColumns(classes, kinds);
  const unlabelled = unseen.filter((name) => !labelled(name));
  if (unlabelled.length > 0) {
    const paths = parts.map(({ table }) => table.path).join(', ');
    throw new ScoringError(
      `${paths}: has no labels of ${unlabelled.join(', ')}, which are to be evaluated as unseen.`,
    );
  }
  const { n, scores, targets, patients, unreadable } = joinLabels(predictions, parts);
  if (n === 0) throw new ScoringError('no labelled image has scores: there is nothing to measure.');
  const shape = { n, classes: classes.length, classNames: classes, ...kinds };
  const curveOf = (values: ArrayLike<number>) => stackingCurve(values, targets, { ...shape, k });
  return {
    metrics: evaluateGeneralised(scores, targets, { ...shape, patients, resamples }),
    stacking: curveOf(scores),
    given:
      gamma === undefined ? undefined : { ...curveOf(stackScores(scores, gamma, shape)).unchanged, gamma },
    seen: kinds.seen,
    leftOut: others.filter((name) => !labelled(name)),
    images: n,
    unreadable,
  };
}
