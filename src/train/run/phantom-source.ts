import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { GENERATOR_VERSION, writePhantomDataset } from '../../phantom/dataset.js';
import type { Recipe } from '../../recipe/recipe-schema.js';
import { sha256 } from '../../storage/content-digest.js';

/**
 * Simulated pictures for a recipe that names no data, drawn once and kept: the recipe's settings name the folder, so
 * several runs share it and a resumed run finds it again, or draws the same anew.
 */
export interface PhantomSourceOptions {
  /** Folder for things that can be made again. */
  readonly cache: string;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * The folder of the recipe's phantoms, drawn now if they aren't there.
 * @throws PhantomOptionsError, PhantomWriteError
 */
export async function providePhantoms(
  recipe: Pick<Recipe, 'data' | 'preprocessing'>,
  { cache, onProgress, signal }: PhantomSourceOptions,
): Promise<string> {
  const { images, size = Math.max(...recipe.preprocessing.size), ...rest } = recipe.data.phantoms;
  const digest = await sha256(JSON.stringify([GENERATOR_VERSION, images, size, rest]));
  const out = join(cache, 'phantoms', `${images}-images-${size}px-${digest.slice(0, 12)}`);
  const there = await stat(join(out, 'dataset.json')).catch(() => null);
  // the folder is put in place whole, so that it exists means that it is complete
  if (there === null) {
    await writePhantomDataset({ ...rest, count: images, size, out, ...(signal && { signal }) }, onProgress);
  }
  return out;
}
