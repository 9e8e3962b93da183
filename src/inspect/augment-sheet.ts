import { type Dataset, openDataset } from '../data/dataset.js';
import type { Augmentation } from '../data/images/augment.js';
import { ImageError } from '../data/images/image-error.js';
import { ImageStore } from '../data/images/image-store.js';
import { drawSheet, type SheetPicture } from '../data/images/sheet.js';
import { BatchLoader } from '../data/loader.js';
import { resolveDataSource } from '../data/tables/data-source.js';
import { compile } from '../engine/compile.js';
import type { Device } from '../engine/device.js';
import { TailrayError } from '../engine/errors.js';
import { Graph } from '../engine/graph/tensor.js';
import { Random } from '../engine/random.js';
import { dataSourceOptions } from '../recipe/recipe-data.js';
import type { Recipe } from '../recipe/recipe-schema.js';
import { imageFeeds, type PixelSource, traceImages } from '../train/step/step-images.js';

/**
 * What a recipe's augmentation does, for a person to judge: pictures before and after each change, drawn by the loader and
 * the kernels that training has.
 */

/** Rows of the sheet. */
const PICTURES = 5;

/**
 * A row for each of some training pictures, drawn by the recipe's seed. Its columns: as prepared; with each change that the
 * recipe has, at every picture; with all of them; and as in training, with their probabilities.
 * @param path label table, or a folder with one
 * @returns the bytes of an 8-bit PNG
 * @throws TableError, SplitError; TailrayError where there is nothing to draw
 */
export async function drawAugmentSheet(
  device: Device,
  path: string,
  recipe: Pick<Recipe, 'data' | 'preprocessing' | 'augment' | 'seed'>,
): Promise<Uint8Array> {
  const { augment } = recipe;
  if (augment === false) throw new TailrayError('the recipe has augment: false: there is nothing to draw.');
  const dataset = await somePictures(path, recipe);
  const columns: { caption: string; pixels: Uint8Array[] }[] = [];
  for (const { caption, settings } of columnsOf(augment)) {
    columns.push({ caption, pixels: await changed(device, dataset, settings, recipe.seed) });
  }
  const places = Array.from({ length: dataset.length }, (_, row) =>
    columns.map(({ caption, pixels }): SheetPicture => ({ caption, pixels: pixels[row] })),
  );
  const [height, width] = recipe.preprocessing.size;
  return drawSheet(places.flat(), { height, width, columns: columns.length });
}

/** @throws TailrayError where no picture can be read */
async function somePictures(
  path: string,
  { data, preprocessing, seed }: Pick<Recipe, 'data' | 'preprocessing' | 'seed'>,
): Promise<Dataset> {
  const wanted = dataSourceOptions(data);
  const source = await resolveDataSource(path, { ...wanted, table: { ...wanted.table, unlabelled: true } });
  const store = new ImageStore({ root: source.imageRoot, preprocessing, lenient: data.lenient ?? false });
  const all = openDataset({ ...source.train, store });
  const chosen: number[] = [];
  for (const position of new Random(seed, 'augment-sheet').shuffle([...all.indices.keys()])) {
    if (chosen.length === PICTURES) break;
    try {
      await all.loadPixels(position);
      chosen.push(position);
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
    }
  }
  if (chosen.length > 0) return all.subset(chosen);
  throw new TailrayError(
    `no picture of ${path} can be read under ${source.imageRoot}: name their folder with --images.`,
  );
}

/** The settings of each column. */
function columnsOf(augment: Augmentation): { caption: string; settings: Augmentation }[] {
  const changes = Object.keys(augment) as (keyof Augmentation)[];
  const off = Object.fromEntries(changes.map((change) => [change, false])) as Augmentation;
  const always = (change: keyof Augmentation) => augment[change] && { ...augment[change], p: 1 };
  const used = changes.filter((change) => augment[change] !== false);
  const each = used.map((change) => ({
    caption: change,
    settings: { ...off, [change]: always(change) } as Augmentation,
  }));
  const mixing = { mixup: augment.mixup, cutmix: augment.cutmix };
  const all = { ...Object.fromEntries(changes.map((change) => [change, always(change)])), ...mixing };
  return [
    { caption: 'before', settings: off },
    ...each,
    ...(used.length > 1 ? [{ caption: 'all', settings: all as Augmentation }] : []),
    { caption: 'training', settings: augment },
  ];
}

/** The pictures of a data set as an epoch with these settings has them, 8 bits each. */
async function changed(
  device: Device,
  dataset: Dataset,
  augmentation: Augmentation,
  seed: number,
): Promise<Uint8Array[]> {
  const batchSize = dataset.length;
  const { size, bits } = dataset.preprocessing;
  const source: PixelSource = {
    kind: 'pixels',
    // grey values as they are, in [0, 1]
    preprocessing: { size, bits, channels: 1, mean: [0], std: [1] },
    augment: augmentation,
  };
  const graph = new Graph();
  const images = traceImages(graph, source, batchSize);
  const program = await compile(device, { graph, outputs: [images] });
  try {
    for await (const batch of new BatchLoader({
      dataset,
      batchSize,
      lastBatch: 'drop',
      augmentation,
      seed,
    })) {
      program.run(imageFeeds(source, batch, { batchSize, k: 0 }));
    }
    const values = Uint8Array.from(await program.read(images), (value) => Math.round(value * 255));
    const plane = size[0] * size[1];
    return Array.from({ length: batchSize }, (_, i) => values.subarray(i * plane, (i + 1) * plane));
  } finally {
    program.destroy();
  }
}
