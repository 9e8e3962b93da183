import type { DataPart } from '../data/data-source.js';
import { TailrayError } from '../engine/errors.js';
import { bootstrapInterval, type Interval } from '../eval/metrics/bootstrap.js';
import { groupsByPrevalence, type Summary, summarize } from '../eval/metrics/summarize.js';
import type { Predictions } from './predictions.js';

/** Predictions and labels that don't belong together; names the images or classes that miss. */
export class EvaluationError extends TailrayError {}

/** Predictions held against labels: every metric, and how sure the means are. */
export interface Evaluation extends Summary {
  /** Images with a score and a row of labels. */
  readonly images: number;
  /** Images whose row has a note instead of scores: they are in no metric. */
  readonly unreadable: readonly string[];
  readonly patients: number;
  /** 95 % bootstrap intervals over patients of the macro means. */
  readonly intervals: Readonly<Record<'mAP' | 'auroc', Interval>>;
  /** Where head, medium and tail come from. */
  readonly groupedBy: 'training prevalence' | 'prevalence in these images';
}

export interface EvaluateOptions {
  /** [classes] prevalence in training, in the order of the predictions' classes; null where unknown. */
  readonly trainingPrevalence?: readonly (number | null)[] | undefined;
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
  const rows = joinByImage(predictions, parts);
  const scored = rows.filter(({ scores }) => scores !== null);
  if (scored.length === 0)
    throw new EvaluationError('no labelled image has scores: there is nothing to measure.');
  const scores = Float32Array.from(scored.flatMap((row) => Array.from(row.scores ?? [])));
  const targets = Float32Array.from(scored.flatMap(({ labels }) => labels));
  const shape = { n: scored.length, classes: classes.length, classNames: classes };
  const patients = scored.map(({ patient }) => patient);
  const known = options.trainingPrevalence;
  const here = summarize(scores, targets, shape).perClass.map(({ prevalence }) => prevalence);
  const groups = groupsByPrevalence(
    known ? known.map((share) => share ?? 0) : here.map((share) => share || 0),
  );
  const bootstrap = { ...shape, patients, resamples: options.resamples ?? 1000 };
  return {
    ...summarize(scores, targets, { ...shape, groups }),
    images: scored.length,
    unreadable: rows.filter((row) => row.scores === null).map(({ image }) => image),
    patients: new Set(patients.map((patient, i) => patient ?? `image ${i}`)).size,
    intervals: {
      mAP: bootstrapInterval('mAP', scores, targets, bootstrap),
      auroc: bootstrapInterval('auroc', scores, targets, bootstrap),
    },
    groupedBy: known ? 'training prevalence' : 'prevalence in these images',
  };
}

interface JoinedRow {
  readonly image: string;
  readonly patient: string | null;
  /** [classes], NaN = unknown, in the order of the predictions' classes. */
  readonly labels: number[];
  readonly scores: ArrayLike<number> | null;
}

function joinByImage({ classes, rows }: Predictions, parts: readonly DataPart[]): JoinedRow[] {
  const scoresOf = new Map(rows.map((row) => [row.image, row.probabilities]));
  const joined: JoinedRow[] = [];
  const missing: string[] = [];
  for (const { table, indices } of parts) {
    const columns = classes.map((name) => table.classes.indexOf(name));
    if (columns.every((column) => column < 0)) {
      throw new EvaluationError(
        `${table.path} has labels for none of the predicted classes (${classes.join(', ')}).`,
      );
    }
    for (const index of indices) {
      const row = table.rows[index];
      if (row === undefined) continue;
      const scores = scoresOf.get(row.image);
      if (scores === undefined) {
        missing.push(row.image);
        continue;
      }
      const labels = columns.map((column) =>
        column < 0 ? Number.NaN : (table.labels[index * table.classes.length + column] ?? Number.NaN),
      );
      joined.push({ image: row.image, patient: row.patient, labels, scores });
    }
  }
  if (missing.length > 0) {
    throw new EvaluationError(
      `${missing.length} of ${missing.length + joined.length} labelled images have no row of predictions ` +
        `(${missing.slice(0, 3).join(', ')}${missing.length > 3 ? ', …' : ''}): predict them too, or choose the ` +
        'part of the data that was predicted (--part).',
    );
  }
  return joined;
}
