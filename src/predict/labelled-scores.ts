import type { DataPart } from '../data/tables/data-source.js';
import type { SubgroupColumn } from '../data/tables/subgroup-columns.js';
import { TailrayError } from '../engine/errors.js';
import type { Predictions } from './predictions.js';

/**
 * Predictions and labels joined by image and by class name: evaluation and report measure the same matrices, so they
 * cannot disagree on who belongs to whom.
 */

/** Predictions and labels that don't belong together; names the images or classes that miss. */
export class EvaluationError extends TailrayError {}

/** Images that have scores and a row of labels; classes as in the predictions. */
export interface LabelledScores {
  /** Number of images. */
  readonly n: number;
  /** [n] identifiers. */
  readonly images: readonly string[];
  /** [n] keys; null where the table names none. */
  readonly patients: readonly (string | null)[];
  /** [n, classes] probabilities. */
  readonly scores: Float32Array;
  /** [n, classes] of 1, 0 or NaN (unknown, or a class that the table doesn't have). */
  readonly targets: Float32Array;
  /** What the tables say of sex, age, view and device, [n] each; absent or empty where they say nothing. */
  readonly subgroups?: readonly SubgroupColumn[];
}

export interface JoinedScores extends LabelledScores {
  /** Labelled images whose row of predictions has a note instead of scores: they are in no matrix. */
  readonly unreadable: readonly string[];
}

/**
 * Every labelled image with its scores, in the order of the labels.
 * @throws EvaluationError when a labelled image has no row of predictions, or a table none of the predicted classes
 */
export function joinLabels({ classes, rows }: Predictions, parts: readonly DataPart[]): JoinedScores {
  const scoresOf = new Map(rows.map((row) => [row.image, row.probabilities]));
  const missing: string[] = [];
  const unreadable: string[] = [];
  const joined: { image: string; patient: string | null; scores: ArrayLike<number>; labels: number[] }[] = [];
  const kinds = new Set(parts.flatMap(({ table }) => (table.subgroups ?? []).map(({ name }) => name)));
  const subgroups = Array.from(kinds, (name) => ({ name, values: [] as (string | null)[] }));
  for (const { table, indices } of parts) {
    const columnOf = new Map(table.classes.map((name, column) => [name, column]));
    const columns = classes.map((name) => columnOf.get(name) ?? -1);
    if (columns.every((column) => column < 0)) {
      throw new EvaluationError(
        `${table.path} has labels for none of the predicted classes (${classes.join(', ')}).`,
      );
    }
    for (const index of indices) {
      const row = table.rows[index];
      if (row === undefined) continue;
      const { image, patient } = row;
      const scores = scoresOf.get(image);
      if (scores === undefined) missing.push(image);
      else if (scores === null) unreadable.push(image);
      else {
        const at = index * table.classes.length;
        const labels = columns.map(
          (column) => (column < 0 ? undefined : table.labels[at + column]) ?? Number.NaN,
        );
        joined.push({ image, patient, scores, labels });
        for (const { name, values } of subgroups) {
          values.push(table.subgroups?.find((column) => column.name === name)?.values[index] ?? null);
        }
      }
    }
  }
  if (missing.length > 0) {
    throw new EvaluationError(
      `${missing.length} of ${missing.length + unreadable.length + joined.length} labelled images have no row of ` +
        `predictions (${missing.slice(0, 3).join(', ')}${missing.length > 3 ? ', …' : ''}): predict them too, or ` +
        'choose the part of the data that was predicted (--part).',
    );
  }
  return {
    n: joined.length,
    images: joined.map(({ image }) => image),
    patients: joined.map(({ patient }) => patient),
    scores: Float32Array.from(joined.flatMap(({ scores }) => Array.from(scores))),
    targets: Float32Array.from(joined.flatMap(({ labels }) => labels)),
    subgroups,
    unreadable,
  };
}

/**
 * The labelled rows of the images that were predicted.
 * @param path of the predictions, for the message
 * @throws EvaluationError when a predicted image is in none of the parts
 */
export function labelledRows({ rows }: Predictions, parts: readonly DataPart[], path: string): DataPart[] {
  const wanted = new Set(rows.map(({ image }) => image));
  const labelled = parts.map(({ table, indices }) => ({
    table,
    indices: indices.filter((index) => wanted.delete(table.rows[index]?.image ?? '')),
  }));
  const [first] = wanted;
  if (first === undefined) return labelled;
  throw new EvaluationError(
    `${path}: ${wanted.size} of ${rows.length} predicted images, such as ${first}, are not in the labelled data.`,
  );
}
