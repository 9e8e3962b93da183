import type { PictureCache } from '../data/cache/picture-cache.js';
import { ImageStore } from '../data/images/image-store.js';
import { greyPixels } from '../data/images/prepare.js';
import type { Device } from '../engine/device.js';
import { inFlight } from '../predict/in-flight.js';
import type { Checkpoint } from '../weights/checkpoint.js';
import { Explainer, type ExplainerOptions } from './explainer.js';
import { CoarseMaps } from './maps/coarse-maps.js';
import { type ExplainMethod, METHOD_TEXTS } from './maps/method.js';

/** Where a checkpoint looked in pictures of a folder. */

/** An image and the class that it is asked about: an image with several classes is several rows. */
export interface ExplainRow {
  /** Identifier of the image below the image root, as in a table. */
  readonly image: string;
  /** Number of the class among the checkpoint's. */
  readonly column: number;
}

export interface ExplainImagesOptions extends Pick<ExplainerOptions, 'path' | 'batchSize' | 'tuning'> {
  readonly checkpoint: Checkpoint;
  /** Folder that the identifiers are relative to, or an archive (.npz). */
  readonly imageRoot: string;
  readonly rows: readonly ExplainRow[];
  /** Default `grad-cam`, which every network and head allows. */
  readonly method?: ExplainMethod | undefined;
  /** Keeps prepared pictures for later starts. */
  readonly pictures?: PictureCache | undefined;
  /** Takes damaged images as far as they decode. */
  readonly lenient?: boolean | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface ExplainedImages {
  readonly method: ExplainMethod;
  /** How the maps were made, a sentence for people. */
  readonly how: string;
  /** As they were asked for. */
  readonly rows: readonly (ExplainRow & {
    /** The network's probability of the class, without views or adjustments. */
    readonly probability: number;
  })[];
  /**
   * A map for each row: `maps.stretched(i)` is [h, w] in 0…1 at the size of the network's images, `maps.raw(i)` the same in the
   * method's own unit, `maps.cellsOf(i)` the few values that both are drawn from. Each takes another [height, width], too.
   */
  readonly maps: CoarseMaps;
}

/**
 * One map for each row, in batches on the device.
 * @throws ImageError for a picture that cannot be read; ExplainError where the method says nothing of this network;
 * CheckpointError 'mismatch'; OutOfMemoryError
 */
export async function explainImages(
  device: Device,
  { checkpoint, imageRoot, rows, method = 'grad-cam', pictures, lenient, ...options }: ExplainImagesOptions,
): Promise<ExplainedImages> {
  const { preprocessing, classes } = checkpoint;
  const { batchSize = 8, onProgress } = options;
  const runs = Math.ceil(rows.length / batchSize);
  const explainer = await Explainer.load(device, checkpoint, { ...options, method, batchSize, runs });
  try {
    const store = new ImageStore({
      root: imageRoot,
      preprocessing,
      cache: pictures,
      lenient: lenient ?? false,
    });
    const plane = preprocessing.size[0] * preprocessing.size[1];
    const probabilities: number[] = [];
    const cells: Float32Array[] = [];
    let shape: Pick<CoarseMaps, 'grid' | 'imageSize'> = { grid: [1, 1], imageSize: preprocessing.size };
    const batches = Array.from({ length: runs }, (_, b) => rows.slice(b * batchSize, (b + 1) * batchSize));
    const explained = inFlight(batches, async (batch) => {
      const pixels = greyPixels(preprocessing.bits, batchSize * plane);
      const columns = new Int32Array(batchSize);
      for (const [i, { image, column }] of batch.entries()) {
        pixels.set(await store.prepared(image), i * plane);
        columns[i] = column;
      }
      return { batch, result: await explainer.explain(pixels, columns) };
    });
    for await (const { batch, result } of explained) {
      for (const [i, { column }] of batch.entries()) {
        probabilities.push(1 / (1 + Math.exp(-(result.logits[i * classes.length + column] as number))));
        cells.push(result.maps.cellsOf(i));
      }
      shape = result.maps;
      onProgress?.(probabilities.length, rows.length);
    }
    return {
      method,
      how: METHOD_TEXTS[method],
      rows: rows.map((row, i) => ({ ...row, probability: probabilities[i] as number })),
      maps: new CoarseMaps(joined(cells), shape),
    };
  } finally {
    explainer.destroy();
  }
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let start = 0;
  for (const part of parts) {
    all.set(part, start);
    start += part.length;
  }
  return all;
}
