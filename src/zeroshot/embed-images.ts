import { type Dataset, openDataset } from '../data/dataset.js';
import type { Preprocessing } from '../data/images/preprocessing.js';
import { type AcceptedDamage, type Quarantined, scanImages } from '../data/images/scan.js';
import { BatchLoader } from '../data/loader.js';
import type { ClipConfig } from '../models/clip/clip-config.js';
import type { PredictionSource } from '../predict/prediction-source.js';
import type { Clip } from './clip.js';

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
  /** How grey values become 0 to 1; default: between two percentiles, as for radiographs that use a part of their range. */
  readonly window?: Preprocessing['window'];
  /** Refuse if any image is unreadable. */
  readonly strict?: boolean | undefined;
  /** Use damaged images as far as they decode. */
  readonly lenient?: boolean | undefined;
  readonly onRead?: (done: number, total: number) => void;
  readonly onEmbedded?: (done: number, total: number) => void;
}

/** How images have to be prepared for a CLIP. */
export function clipPreprocessing(
  { image, preprocessing }: ClipConfig,
  window: Preprocessing['window'] = { kind: 'percentile', low: 0.5, high: 99.5 },
): Preprocessing {
  return {
    size: [image.size[0], image.size[1]],
    channels: 3,
    window,
    resize: 'bilinear',
    mean: [...preprocessing.mean],
    std: [...preprocessing.std],
  };
}

/** @throws QuarantineError (strict); what the device reports */
export async function embedImages(
  clip: Clip,
  { table, imageRoot }: PredictionSource,
  options: EmbedImagesOptions = {},
): Promise<EmbeddedImages> {
  const { batchSize = 8, strict = false, lenient = false, window, onRead, onEmbedded } = options;
  const preprocessing = clipPreprocessing(clip.config, window);
  const all = openDataset({ table, root: imageRoot, preprocessing, lenient });
  const { readable, quarantined, accepted } = await scanImages(all, {
    strict,
    ...(onRead && { onProgress: onRead }),
  });
  const dataset = all.subset(readable);
  const embeddings = new Float32Array(dataset.length * clip.width);
  const loader = new BatchLoader({ dataset, batchSize, lastBatch: 'pad' });
  for await (const { index, images, valid } of loader) {
    const values = images.subarray(0, (images.length / batchSize) * valid);
    embeddings.set(await clip.encodeImages(values), index * batchSize * clip.width);
    onEmbedded?.(index * batchSize + valid, dataset.length);
  }
  return { all, readable, embeddings, quarantined, accepted };
}
