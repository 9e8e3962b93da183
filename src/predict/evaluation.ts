import type { DataPart } from '../data/tables/data-source.js';
import { bootstrapMetrics } from '../eval/metrics/bootstrap.js';
import type { Interval } from '../eval/metrics/interval.js';
import { groupsByPrevalence, type Summary, summarize } from '../eval/metrics/summarize.js';
import { EvaluationError, joinLabels } from './labelled-scores.js';
import type { Predictions } from './predictions.js';

/** Predictions held against labels: every metric, and how sure the means are. */
export interface Evaluation extends Summary {
  /** Images with a score and a row of labels. */
  readonly images: number;
  /** Images whose row has a note instead of scores: they are in no metric. */
  readonly unreadable: readonly string[];
  readonly patients: number;
  /** 95 % BCa bootstrap intervals over patients of the macro means. */
  readonly intervals: Readonly<Record<'mAP' | 'auroc', Interval>>;
  /** [classes] of F1; null where it is 0.5 for all. */
  readonly thresholds: readonly number[] | null;
  /** Where head, medium and tail come from. */
  readonly groupedBy: 'training prevalence' | 'prevalence in these images';
}

export interface EvaluateOptions {
  /** [classes] prevalence in training, in the order of the predictions' classes; null where unknown. */
  readonly trainingPrevalence?: readonly (number | null)[] | undefined;
  /** [classes] scores from which on a class counts as present, for F1; default 0.5. */
  readonly thresholds?: readonly number[] | undefined;
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
  const { n, scores, targets, patients, unreadable } = joinLabels(predictions, parts);
  if (n === 0) throw new EvaluationError('no labelled image has scores: there is nothing to measure.');
  const shape = { n, classes: classes.length, classNames: classes };
  const known = options.trainingPrevalence;
  const here = summarize(scores, targets, shape).perClass.map(({ prevalence }) => prevalence);
  const groups = groupsByPrevalence(
    known ? known.map((share) => share ?? 0) : here.map((share) => share || 0),
  );
  const bootstrapped = bootstrapMetrics(['mAP', 'auroc'], scores, targets, {
    ...shape,
    patients,
    resamples: options.resamples ?? 1000,
  });
  const { thresholds } = options;
  return {
    ...summarize(scores, targets, { ...shape, groups, thresholds }),
    thresholds: thresholds ?? null,
    images: n,
    unreadable,
    patients: new Set(patients.map((patient, i) => patient ?? `image ${i}`)).size,
    intervals: { mAP: bootstrapped.mean('mAP'), auroc: bootstrapped.mean('auroc') },
    groupedBy: known ? 'training prevalence' : 'prevalence in these images',
  };
}
