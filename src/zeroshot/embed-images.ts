import { type Dataset, openDataset } from '../data/dataset.js';
import { type AcceptedDamage, type Quarantined, scanImages } from '../data/images/scan.js';
import { BatchLoader } from '../data/loader.js';
import type { PredictionSource } from '../predict/prediction-source.js';
import { type ViewSet, viewsOf } from '../predict/views/views.js';
import type { ImageTextModel } from './image-text-model.js';
import { unitRows } from './scoring/vectors.js';

/** Embeddings of the images of a table or folder; unreadable images have none, and their place is kept. */
export interface EmbeddedImages {
  readonly all: Dataset;
  /** Positions of the images that were embedded, in order. */
  readonly readable: Int32Array;
  /** [readable images, width], each of length 1. */
  readonly embeddings: Float32Array;
  readonly quarantined: readonly Quarantined[];
  readonly accepted: readonly AcceptedDamage[];
}

export interface EmbedImagesOptions {
  /** Images computed at a time; default 8. */
  readonly batchSize?: number;
  /** Of several views, an embedding is the mean of theirs, with length 1 again; default `none`. */
  readonly tta?: ViewSet | undefined;
  /** Refuse if any image is unreadable. */
  readonly strict?: boolean | undefined;
  /** Use damaged images as far as they decode. */
  readonly lenient?: boolean | undefined;
  readonly onRead?: (done: number, total: number) => void;
  readonly onEmbedded?: (done: number, total: number) => void;
}

/** @throws QuarantineError (strict); ScoringError where an embedding is not finite; what the device reports */
export async function embedImages(
  model: ImageTextModel,
  { table, imageRoot }: PredictionSource,
  options: EmbedImagesOptions = {},
): Promise<EmbeddedImages> {
  const { batchSize = 8, strict = false, lenient = false, tta = 'none', onRead, onEmbedded } = options;
  const all = openDataset({ table, root: imageRoot, preprocessing: model.preprocessing, lenient });
  const { readable, quarantined, accepted } = await scanImages(all, {
    strict,
    ...(onRead && { onProgress: onRead }),
  });
  const dataset = all.subset(readable);
  const embeddings = new Float32Array(dataset.length * model.width);
  const loader = new BatchLoader({ dataset, batchSize, lastBatch: 'pad' });
  for await (const { index, images, valid } of loader) {
    const values = images.subarray(0, (images.length / batchSize) * valid);
    embeddings.set(await encodeViews(model, values, tta), index * batchSize * model.width);
    onEmbedded?.(index * batchSize + valid, dataset.length);
  }
  return { all, readable, embeddings, quarantined, accepted };
}

/** @param images prepared @returns [n, width], each of length 1 */
async function encodeViews(model: ImageTextModel, images: Float32Array, tta: ViewSet): Promise<Float32Array> {
  const [first, ...others] = viewsOf(tta);
  const { size, channels } = model.preprocessing;
  const shape = [...size, channels] as const;
  const embeddings = await model.encodeImages(first ? first(images, shape) : images);
  if (others.length === 0) return embeddings;
  const sums = Float64Array.from(embeddings);
  for (const view of others) {
    const more = await model.encodeImages(view(images, shape));
    for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] as number) + (more[i] as number);
  }
  return Float32Array.from(unitRows(sums, model.width, 'image', 'its views point nowhere together'));
}
