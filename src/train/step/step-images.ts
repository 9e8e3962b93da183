import type { Augmentation } from '../../data/images/augment.js';
import { isMixing } from '../../data/images/mix.js';
import { packedWords } from '../../data/images/prepare.js';
import type { Batch } from '../../data/loader.js';
import { ShapeError } from '../../engine/errors.js';
import { elementCount, type Graph, type Tensor } from '../../engine/graph/tensor.js';
import type { Feeds } from '../../engine/run/program.js';
import { augmentGrey } from '../../kernels/image/augment-grey.js';
import { changesShape, packChanges } from '../../kernels/image/change-table.js';
import { normaliseGrey, packedLength, unpackGrey } from '../../kernels/image/grey.js';
import { mixesShape, mixGrey, packMixes } from '../../kernels/image/mix.js';
import type { ImageFormat } from '../../predict/image-input.js';

/**
 * Where a step's images come from. In a training run they travel as prepared pixels with a list of drawn changes, and the
 * step's own kernels make images of them. Where nothing is prepared, as in a benchmark, the host feeds images.
 */
export type ImageSource =
  | PixelSource
  | {
      readonly kind: 'images';
      /** [height, width, channels] */
      readonly shape: readonly [number, number, number];
    };

export interface PixelSource {
  readonly kind: 'pixels';
  readonly preprocessing: ImageFormat;
  readonly augment: Augmentation | false;
}

/** The images of a step: of all the batches that it adds up, one behind the other. */
export type StepImages = PixelBatch | ImageBatch;

export interface ImageBatch {
  /** [accumulate · batchSize, height, width, channels], normalised. */
  readonly images: Float32Array;
}

/** A part of `Batch` (src/data/loader.ts). */
export type PixelBatch = Pick<Batch, 'pixels' | 'changes' | 'mixes'>;

/** @returns a batch's images, normalised: [batchSize, height, width, channels] */
export function traceImages(graph: Graph, source: ImageSource, batchSize: number): Tensor {
  if (source.kind === 'images') return graph.input('images', [batchSize, ...source.shape]);
  const { preprocessing } = source;
  const { bits } = preprocessing;
  const planes = planesOf(source, batchSize);
  return graph.scope('images', () => {
    const pixels = graph.input('pixels', [packedLength(elementCount(planes), bits)], 'u32');
    let grey = unpackGrey(pixels, planes, bits);
    const changes = changesOf(source);
    if (changes) {
      const table = graph.input('changes', changesShape(changes, planes[0]), 'u32');
      grey = augmentGrey(grey, table, changes);
    }
    if (mixesOf(source)) grey = mixGrey(grey, graph.input('mixes', mixesShape(batchSize)));
    return normaliseGrey(grey, preprocessing);
  });
}

/** Values for the inputs of `traceImages`, of batch number `k` of a step's `count`. */
export function imageFeeds(
  source: ImageSource,
  batch: StepImages,
  { batchSize, k }: { readonly batchSize: number; readonly k: number },
): Feeds {
  if (source.kind === 'images') {
    if (!('images' in batch)) throw new ShapeError('the step takes images, and was given pixels');
    const length = batchSize * elementCount(source.shape);
    return { images: batch.images.subarray(k * length, (k + 1) * length) };
  }
  if (!('pixels' in batch)) throw new ShapeError('the step takes pixels, and was given images');
  const planes = planesOf(source, batchSize);
  const length = elementCount(planes);
  const changes = changesOf(source);
  const drawn = batch.changes.slice(k * planes[0], (k + 1) * planes[0]);
  const mixes = batch.mixes.slice(k * batchSize, (k + 1) * batchSize);
  return {
    pixels: packedWords(batch.pixels.subarray(k * length, (k + 1) * length)),
    ...(changes && { changes: packChanges(drawn, changes, planes) }),
    ...(mixesOf(source) && { mixes: packMixes(mixes, batchSize) }),
  };
}

/** [planes, height, width]: a picture that may be mixed has its partner behind it. */
export function planesOf(source: Omit<PixelSource, 'kind'>, batchSize: number): [number, number, number] {
  return [mixesOf(source) ? 2 * batchSize : batchSize, ...source.preprocessing.size];
}

function mixesOf({ augment }: Pick<PixelSource, 'augment'>): boolean {
  return augment !== false && isMixing(augment);
}

/** The settings, where a picture may be changed at all. */
function changesOf({ augment }: PixelSource): Augmentation | undefined {
  if (augment === false) return undefined;
  const { mixup: _mixup, cutmix: _cutmix, ...changes } = augment;
  return Object.values(changes).some((change) => change !== false) ? augment : undefined;
}
