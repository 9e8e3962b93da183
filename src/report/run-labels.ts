import { join } from 'node:path';
import { type DataPart, type DataSource, resolveDataSource } from '../data/tables/data-source.js';
import { patientsOf } from '../data/tables/split.js';
import { TailrayError } from '../engine/errors.js';
import {
  EvaluationError,
  joinLabels,
  type LabelledScores,
  labelledRows,
} from '../predict/labelled-scores.js';
import { dataSourceOptions } from '../recipe/recipe-data.js';
import type { Recipe } from '../recipe/recipe-schema.js';
import { cacheFolder } from '../storage/cache-folder.js';
import { providePhantoms } from '../train/run/phantom-source.js';
import type { RunRecord } from './run-record.js';

/**
 * The truth beside the predictions. A run directory keeps scores but no labels, so these are read again from the data
 * that the recipe names, split the same way, and joined with the predictions image by image.
 */

/** The data of a run, found again. */
export interface FoundData {
  /** The path that was read. */
  readonly path: string;
  readonly source: DataSource;
}

/** The predicted and labelled images of one part of the split. */
export interface LabelledPart extends LabelledScores {
  readonly name: 'validation' | 'test';
}

/**
 * Reads the tables that the run was trained on.
 * @param path instead of the recipe's own, for data that have moved
 * @returns the data, or why they can't be had
 */
export async function findData(recipe: Recipe, path?: string): Promise<FoundData | { reason: string }> {
  try {
    const where = path ?? recipe.data.path ?? (await providePhantoms(recipe, { cache: cacheFolder() }));
    return { path: where, source: await resolveDataSource(where, dataSourceOptions(recipe.data)) };
  } catch (error) {
    if (error instanceof TailrayError) return { reason: error.message };
    throw error;
  }
}

/**
 * The predictions of one part, held beside its labels.
 * @returns null when nothing was predicted for that part; a reason when predictions and data don't belong together
 */
export function labelledPart(
  { predictions, path }: Pick<RunRecord, 'predictions' | 'path'>,
  source: DataSource,
  name: LabelledPart['name'],
): LabelledPart | { reason: string } | null {
  if (predictions === null) return null;
  const rows = predictions.rows.filter(({ split }) => split === name);
  if (rows.every(({ probabilities }) => probabilities === null)) return null;
  if (JSON.stringify(predictions.classes) !== JSON.stringify(source.classes)) {
    return { reason: `${path}: the data have other classes than predictions.csv.` };
  }
  const part = source[name];
  if (part === null) return { reason: `${path}: the data have no ${name} part, predictions.csv has.` };
  const predicted = { classes: predictions.classes, rows };
  try {
    const labelled = labelledRows(predicted, [part], join(path, 'predictions.csv'));
    return { name, ...joinLabels(predicted, labelled) };
  } catch (error) {
    if (error instanceof EvaluationError) return { reason: `${error.message} Have the data changed?` };
    throw error;
  }
}

/** Images and patients of a part; 0 patients where the table names none. */
export function partSize({ table, indices }: DataPart): { images: number; patients: number } {
  return { images: indices.length, patients: patientsOf(table, indices).size };
}
