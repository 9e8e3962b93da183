import type { DataPart } from '../data/tables/data-source.js';
import { type MeasuredScores, measureScores } from '../eval/metrics/measure-scores.js';
import { groupsByPrevalence, type Summary, summarize } from '../eval/metrics/summarize.js';
import { EvaluationError, joinLabels, type LabelledScores } from './labelled-scores.js';
import type { Predictions } from './predictions.js';

/** Predictions held against labels: every metric, and how sure each is. */
export interface Evaluation extends Summary {
  /** Images with a score and a row of labels. */
  readonly images: number;
  /** Images whose row has a note instead of scores: they are in no metric. */
  readonly unreadable: readonly string[];
  readonly patients: number;
  /** Every number with its interval, averages and subgroups too. */
  readonly measured: MeasuredScores;
  /** [classes] of F1; null where it is 0.5 for all. */
  readonly thresholds: readonly number[] | null;
  /** Where head, medium and tail come from. */
  readonly groupedBy: GroupedBy;
}

export type GroupedBy = 'training prevalence' | 'prevalence in these images';

export interface EvaluateOptions {
  /** [classes] prevalence in training, in the order of the predictions' classes; null where unknown. */
  readonly trainingPrevalence?: readonly (number | null)[] | undefined;
  /** [classes] scores from which on a class counts as present, for F1; default 0.5. */
  readonly thresholds?: readonly number[] | undefined;
  /** [classes] scores for `fittedF1` where no thresholds are given: the best of other images, beside F1 at 0.5. */
  readonly fitted?: readonly number[] | undefined;
  /** At which sensitivities are measured; default 0.9 and 0.95. */
  readonly specificities?: readonly number[] | undefined;
  /** Draws of the bootstrap; default 1000. */
  readonly resamples?: number | undefined;
}

/**
 * Joins predictions and labels by image and measures. Classes are joined by name; a class without labels is left out
 * of every mean and named.
 * @throws EvaluationError when a labelled image has no row of predictions; MetricError for scores that are no numbers
 */
export function evaluatePredictions(
  predictions: Predictions,
  parts: readonly DataPart[],
  options: EvaluateOptions = {},
): Evaluation {
  const { classes } = predictions;
  const { unreadable, ...joined } = joinLabels(predictions, parts);
  const { n, scores, targets, patients, subgroups } = joined;
  if (n === 0) throw new EvaluationError('no labelled image has scores: there is nothing to measure.');
  const { thresholds, fitted, specificities, resamples = 1000 } = options;
  const { groups, groupedBy } = groupClasses(joined, classes, options.trainingPrevalence);
  const shape = { n, classes: classes.length, classNames: classes, groups };
  const measured = measureScores(scores, targets, {
    ...shape,
    thresholds: thresholds ?? fitted,
    patients,
    specificities,
    subgroups,
    resamples,
  });
  return {
    ...summarize(scores, targets, { ...shape, thresholds }),
    thresholds: thresholds ?? null,
    images: n,
    unreadable,
    patients: measured.patients,
    measured,
    groupedBy,
  };
}

/** Head, medium and tail: by the prevalence in training where it is known, else among these images. */
export function groupClasses(
  { n, scores, targets }: LabelledScores,
  classNames: readonly string[],
  trainingPrevalence: readonly (number | null)[] | undefined,
): { readonly groups: readonly string[]; readonly groupedBy: GroupedBy } {
  if (trainingPrevalence !== undefined) {
    const groups = groupsByPrevalence(trainingPrevalence.map((share) => share ?? 0));
    return { groups, groupedBy: 'training prevalence' };
  }
  const here = summarize(scores, targets, { n, classes: classNames.length, classNames });
  const groups = groupsByPrevalence(here.perClass.map(({ prevalence }) => prevalence || 0));
  return { groups, groupedBy: 'prevalence in these images' };
}
