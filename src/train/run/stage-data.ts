import type { PictureCache } from '../../data/cache/picture-cache.js';
import type { Recipe } from '../../recipe/recipe-schema.js';
import { providePhantoms } from './phantom-source.js';
import { type ExamineOptions, examineTrainingData, type TrainingData } from './training-data.js';

/**
 * The data of each stage of a run. A set is a table with its split and its preprocessing: what was read of it is shared by
 * all stages that have it, and where the caller keeps the sets, by the next run.
 */
type OfSet = Pick<Recipe, 'data' | 'preprocessing'>;

/** Sets that were examined; those of one run at a time, since the images of all runs would not fit into memory. */
export class ExaminedSets {
  #sets = new Map<string, TrainingData>();

  /** Drops what none of these needs. */
  retain(needed: readonly { readonly path: string; readonly recipe: OfSet }[]): void {
    const keys = new Set(needed.map(({ path, recipe }) => keyOf(path, recipe)));
    this.#sets = new Map([...this.#sets].filter(([key]) => keys.has(key)));
  }

  /** The set as it was examined before, else examined now. @throws as `examineTrainingData` */
  async get(path: string, recipe: OfSet, options: ExamineOptions): Promise<TrainingData> {
    const key = keyOf(path, recipe);
    const data = this.#sets.get(key) ?? (await examineTrainingData(path, recipe, options));
    this.#sets.set(key, data);
    return data;
  }
}

export interface StageDataOptions {
  readonly sets: ExaminedSets;
  /** Folder for things that can be made again, such as phantoms. */
  readonly cache: string;
  /** Keeps prepared pictures for later starts. */
  readonly pictures?: PictureCache | undefined;
  readonly strict?: boolean | undefined;
  readonly onProgress?: ((title: string, done: number, total: number) => void) | undefined;
}

/**
 * @param recipes of the stages, in their order
 * @returns the data of each; the same object where they share a set
 * @throws as `examineTrainingData` and `providePhantoms`
 */
export async function examineStages(
  recipes: readonly Recipe[],
  { sets, cache, pictures, strict = false, onProgress }: StageDataOptions,
): Promise<TrainingData[]> {
  const progress = (title: string) => (done: number, total: number) => onProgress?.(title, done, total);
  const stages: { path: string; recipe: Recipe }[] = [];
  for (const recipe of recipes) {
    const drawn = { cache, onProgress: progress('drawing phantoms') };
    stages.push({ path: recipe.data.path ?? (await providePhantoms(recipe, drawn)), recipe });
  }
  sets.retain(stages);
  const data: TrainingData[] = [];
  for (const { path, recipe } of stages) {
    data.push(await sets.get(path, recipe, { strict, pictures, onProgress: progress('reading') }));
  }
  return data;
}

function keyOf(path: string, { data, preprocessing }: OfSet): string {
  return JSON.stringify([path, data, preprocessing]);
}
