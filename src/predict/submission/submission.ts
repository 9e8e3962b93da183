import { csvText } from '../../data/tables/csv-text.js';
import { IN_DISTRIBUTION, OUT_OF_DISTRIBUTION } from '../../data/tables/findings.js';
import { writeAtomically } from '../../storage/atomic-file.js';
import { counted } from '../../text/numbers.js';
import type { Predictions } from '../predictions.js';

/**
 * The challenge's submission files: `ImageID` and one column of probabilities a class, one row for each image that was
 * asked for, in that order. The challenge takes no gaps, so an image that could not be read gets each class's mean over
 * the others; the caller says which those are.
 */
export interface SubmissionRow {
  readonly image: string;
  /** In [0, 1]; null: the image could not be read. */
  readonly probabilities: ArrayLike<number> | null;
}

/** Probabilities are kept away from 0 and 1, as the challenge's winner did: log losses stay finite. */
const LEAST = 1e-6;

/**
 * Writes predictions as a submission: Task 1's 30 columns where all of them were predicted, else Task 2's 6, else the
 * predicted classes; the challenge's in its order.
 * @returns what was written, for a person
 * @throws StorageError
 */
export async function writeSubmission(path: string, { classes, rows }: Predictions): Promise<string> {
  const task = [IN_DISTRIBUTION, OUT_OF_DISTRIBUTION].findIndex((names) =>
    names.every((name) => classes.includes(name)),
  );
  const columns = [IN_DISTRIBUTION, OUT_OF_DISTRIBUTION][task] ?? classes;
  const from = columns.map((name) => classes.indexOf(name));
  const picked = rows.map(({ image, probabilities }) => ({
    image,
    probabilities: probabilities && from.map((column) => probabilities[column] ?? Number.NaN),
  }));
  await writeAtomically(path, submissionText(columns, picked));
  const missing = rows.flatMap(({ image, probabilities }) => (probabilities ? [] : [image]));
  const named = `${missing.slice(0, 3).join(', ')}${missing.length > 3 ? ', …' : ''}`;
  return (
    `${counted(columns.length, 'column')}${task < 0 ? '' : ` of Task ${task + 1}`} in ${path}` +
    (missing.length > 0
      ? `; ${missing.length} unreadable have each class's mean over the others: ${named}`
      : '')
  );
}

export function submissionText(classes: readonly string[], rows: readonly SubmissionRow[]): string {
  const fallback = means(classes.length, rows);
  const lines = rows.map(({ image, probabilities }) => [
    image,
    ...classes.map((_, c) => number(probabilities?.[c] ?? fallback[c] ?? 0.5)),
  ]);
  return csvText([['ImageID', ...classes], ...lines]);
}

/** What stands for an image that could not be read: each class's mean over the images that were; 0.5 where none was. */
function means(classes: number, rows: readonly SubmissionRow[]): number[] {
  const known = rows.flatMap(({ probabilities }) => (probabilities ? [probabilities] : []));
  return Array.from({ length: classes }, (_, c) =>
    known.length === 0 ? 0.5 : known.reduce((sum, each) => sum + (each[c] ?? 0), 0) / known.length,
  );
}

/** Nine digits tell any two float32 apart. */
function number(value: number): string {
  return String(Number(Math.min(1 - LEAST, Math.max(LEAST, value)).toPrecision(9)));
}
