import type { PictureCache } from '../data/cache/picture-cache.js';
import { type Dataset, openDataset } from '../data/dataset.js';
import type { GreyPixels } from '../data/images/prepare.js';
import { type AcceptedDamage, type Quarantined, scanImages } from '../data/images/scan.js';
import { BatchLoader } from '../data/loader.js';
import { inFlight } from '../predict/in-flight.js';
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
  /** Keeps prepared pictures for later starts. */
  readonly pictures?: PictureCache | undefined;
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
  const {
    batchSize = 8,
    strict = false,
    lenient = false,
    tta = 'none',
    pictures,
    onRead,
    onEmbedded,
  } = options;
  const all = openDataset({
    table,
    root: imageRoot,
    preprocessing: model.preprocessing,
    cache: pictures,
    lenient,
  });
  const { readable, quarantined, accepted } = await scanImages(all, {
    strict,
    ...(onRead && { onProgress: onRead }),
  });
  const dataset = all.subset(readable);
  const embeddings = new Float32Array(dataset.length * model.width);
  const loader = new BatchLoader({ dataset, batchSize, lastBatch: 'pad' });
  const perImage = model.preprocessing.size[0] * model.preprocessing.size[1];
  const embedded = inFlight(loader, async ({ index, pixels, valid }) => {
    const own = pixels.subarray(0, valid * perImage);
    return { index, valid, rows: await encodeViews(model, own, tta) };
  });
  for await (const { index, valid, rows } of embedded) {
    embeddings.set(rows, index * batchSize * model.width);
    onEmbedded?.(index * batchSize + valid, dataset.length);
  }
  return { all, readable, embeddings, quarantined, accepted };
}

/** @param pixels prepared @returns [n, width], each of length 1 */
async function encodeViews(model: ImageTextModel, pixels: GreyPixels, tta: ViewSet): Promise<Float32Array> {
  if (tta === 'none') return model.encodeImages(pixels);
  const views = await Promise.all(viewsOf(tta).map((view) => model.encodeImages(pixels, view)));
  const sums = Float64Array.from(views[0] ?? [], (_, i) =>
    views.reduce((sum, embeddings) => sum + (embeddings[i] as number), 0),
  );
  return Float32Array.from(unitRows(sums, model.width, 'image', 'its views point nowhere together'));
}
