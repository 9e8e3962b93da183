import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type DataPart, type DataSource, resolveDataSource } from '../data/data-source.js';
import { patientsOf } from '../data/split.js';
import { cacheFolder } from '../engine/adapters/cache-folder.js';
import { TailrayError } from '../engine/errors.js';
import { providePhantoms } from '../train/phantom-source.js';
import type { Prediction } from '../train/predictions.js';
import { dataSourceOptions } from '../train/recipe-data.js';
import type { Recipe } from '../train/recipe-schema.js';
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
export interface LabelledPart {
  readonly name: 'validation' | 'test';
  /** Number of readable images. */
  readonly n: number;
  /** [n] identifiers. */
  readonly images: readonly string[];
  /** [n] keys; null where the table names none. */
  readonly patients: readonly (string | null)[];
  /** [n, classes] probabilities. */
  readonly scores: Float32Array;
  /** [n, classes] of 1, 0 or NaN (unknown). */
  readonly targets: Float32Array;
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

/** Whether the pictures were drawn by `synth`: where the recipe names no data, or the data folder says so itself. */
export async function areSimulated(recipe: Recipe, path = recipe.data.path): Promise<boolean> {
  if (path === undefined) return true;
  const folder = (await stat(path).catch(() => null))?.isFile() ? dirname(path) : path;
  const text = await readFile(join(folder, 'dataset.json'), 'utf8').catch(() => '');
  return /"generator":\s*"tailray synth"/.test(text);
}

/**
 * Joins the predictions of one part with its labels.
 * @returns null when nothing was predicted for that part; a reason when predictions and data don't belong together
 */
export function joinLabels(
  { predictions, path }: Pick<RunRecord, 'predictions' | 'path'>,
  source: DataSource,
  name: LabelledPart['name'],
): LabelledPart | { reason: string } | null {
  const rows = (predictions?.rows ?? []).filter(
    (row): row is Prediction & { probabilities: ArrayLike<number> } =>
      row.split === name && row.probabilities !== null,
  );
  if (predictions === null || rows.length === 0) return null;
  if (JSON.stringify(predictions.classes) !== JSON.stringify(source.classes)) {
    return { reason: `${path}: the data have other classes than predictions.csv.` };
  }
  const part = source[name];
  if (part === null) return { reason: `${path}: the data have no ${name} part, predictions.csv has.` };
  const rowOf = new Map(Array.from(part.indices, (index) => [part.table.rows[index]?.image, index]));
  const classes = source.classes.length;
  const scores = new Float32Array(rows.length * classes);
  const targets = new Float32Array(rows.length * classes);
  const patients: (string | null)[] = [];
  for (const [i, { image, probabilities }] of rows.entries()) {
    const index = rowOf.get(image);
    if (index === undefined) {
      return {
        reason: `"${image}" of predictions.csv is not in the ${name} part of the data: they have changed.`,
      };
    }
    scores.set(probabilities, i * classes);
    targets.set(part.table.labels.subarray(index * classes, (index + 1) * classes), i * classes);
    patients.push(part.table.rows[index]?.patient ?? null);
  }
  return { name, n: rows.length, images: rows.map((row) => row.image), patients, scores, targets };
}

/** Images and patients of a part; 0 patients where the table names none. */
export function partSize({ table, indices }: DataPart): { images: number; patients: number } {
  return { images: indices.length, patients: patientsOf(table, indices).size };
}
