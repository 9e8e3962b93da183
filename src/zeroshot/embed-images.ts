import { type Dataset, openDataset } from '../data/dataset.js';
import { type AcceptedDamage, type Quarantined, scanImages } from '../data/images/scan.js';
import { BatchLoader } from '../data/loader.js';
import type { PredictionSource } from '../predict/prediction-source.js';
import type { ImageTextModel } from './image-text-model.js';

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
  /** Refuse if any image is unreadable. */
  readonly strict?: boolean | undefined;
  /** Use damaged images as far as they decode. */
  readonly lenient?: boolean | undefined;
  readonly onRead?: (done: number, total: number) => void;
  readonly onEmbedded?: (done: number, total: number) => void;
}

/** @throws QuarantineError (strict); what the device reports */
export async function embedImages(
  model: ImageTextModel,
  { table, imageRoot }: PredictionSource,
  options: EmbedImagesOptions = {},
): Promise<EmbeddedImages> {
  const { batchSize = 8, strict = false, lenient = false, onRead, onEmbedded } = options;
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
    embeddings.set(await model.encodeImages(values), index * batchSize * model.width);
    onEmbedded?.(index * batchSize + valid, dataset.length);
  }
  return { all, readable, embeddings, quarantined, accepted };
}
