import { readSheet, TableError } from '../data/tables/csv-sheet.js';
import { cellText, csvText } from '../data/tables/csv-text.js';
import type { DataPart } from '../data/tables/data-source.js';
import { type ClassSummary, summarize } from '../eval/metrics/summarize.js';
import { unknownName } from '../recipe/known-names.js';
import { writeAtomically } from '../storage/atomic-file.js';
import { EvaluationError, joinLabels } from './labelled-scores.js';
import type { Predictions } from './predictions.js';

/**
 * thresholds.csv: for each class the score from which on it counts as present, with the highest F1 on the images that
 * chose it. A class without positives there has an empty cell. For F1 of other images; AP and AUROC need no threshold.
 */
const COLUMNS = ['class', 'threshold', 'F1', 'positives'] as const;

/** Classes without a threshold of their own. */
export const DEFAULT_THRESHOLD = 0.5;

/** Writes each class's best threshold. @throws StorageError */
export async function writeThresholds(path: string, perClass: readonly ClassSummary[]): Promise<void> {
  const cell = (value: number) => (Number.isNaN(value) ? '' : String(value));
  const rows = perClass.map(({ name, bestThreshold, bestF1, positives }) => [
    name,
    cell(bestThreshold),
    cell(bestF1),
    String(positives),
  ]);
  await writeAtomically(path, csvText([COLUMNS, ...rows]));
}

/** [classes] thresholds of best F1 on these images; the default where a class has no positives among them. */
export function fitThresholds(predictions: Predictions, parts: readonly DataPart[]): number[] {
  const { n, scores, targets } = joinLabels(predictions, parts);
  const { classes: classNames } = predictions;
  const { perClass } = summarize(scores, targets, { n, classes: classNames.length, classNames });
  return perClass.map(({ bestThreshold }) =>
    Number.isNaN(bestThreshold) ? DEFAULT_THRESHOLD : bestThreshold,
  );
}

export interface ClassThresholds {
  /** [classes] */
  readonly values: readonly number[];
  /** Classes that have the default of 0.5, since their cell is empty. */
  readonly unfitted: readonly string[];
}

/**
 * Reads such a file for these classes; it may have more.
 * @throws TableError for a cell that is no score; EvaluationError for a class without a row
 */
export async function readThresholds(path: string, classes: readonly string[]): Promise<ClassThresholds> {
  const sheet = await readSheet(path);
  const [nameColumn, column] = [sheet.header.indexOf(COLUMNS[0]), sheet.header.indexOf(COLUMNS[1])];
  if (nameColumn < 0 || column < 0) {
    throw new TableError(
      'has no columns "class" and "threshold": is this a file of evaluate --fit-thresholds?',
      { path, line: 1 },
    );
  }
  const thresholds = new Map<string, number | null>();
  for (const [i, record] of sheet.records.entries()) {
    const cell = (record[column] ?? '').trim();
    const value = cell === '' ? null : Number(cell);
    const place = { path, line: sheet.lines[i] ?? 0, column: COLUMNS[1], value: cell };
    if (value !== null && !Number.isFinite(value)) throw new TableError(`"${cell}" is no threshold.`, place);
    thresholds.set(cellText((record[nameColumn] ?? '').trim()), value);
  }
  for (const name of classes) {
    if (thresholds.has(name)) continue;
    throw new EvaluationError(`${path}: ${unknownName('row for class', name, [...thresholds.keys()])}.`);
  }
  return {
    values: classes.map((name) => thresholds.get(name) ?? DEFAULT_THRESHOLD),
    unfitted: classes.filter((name) => thresholds.get(name) === null),
  };
}
