import { type GreyPixels, packedWords } from '../data/images/prepare.js';
import { ShapeError, TailrayError } from '../engine/errors.js';
import type { Graph, Tensor } from '../engine/graph/tensor.js';
import type { Feeds } from '../engine/run/program.js';
import {
  type GreyBits,
  type Normalisation,
  normaliseGrey,
  packedLength,
  unpackGrey,
} from '../kernels/image/grey.js';
import { viewGrey, viewTable, viewTableShape } from '../kernels/image/view-grey.js';
import type { View } from './views/view.js';
import { identity } from './views/views.js';

/** What of a preprocessing the device does: prepared pictures come as integers and are normalised there. */
export interface ImageFormat extends Normalisation {
  readonly size: readonly [height: number, width: number];
  readonly bits: GreyBits;
}

export interface ImageInputOptions {
  readonly batchSize: number;
  readonly preprocessing: ImageFormat;
  /** Whether pictures may be shown in views; a program without them has no kernel for it. */
  readonly views?: boolean | undefined;
}

/** The images of a program in evaluation mode: a batch of integers is uploaded, all else happens in the program. */
export class ImageInput {
  /** [batchSize, h, w, channels], normalised. */
  readonly images: Tensor;
  readonly #options: ImageInputOptions;

  /** Adds the inputs `pixels` and, with views, `view` to a graph. */
  constructor(graph: Graph, options: ImageInputOptions) {
    const { batchSize, preprocessing, views = false } = options;
    const { bits, size } = preprocessing;
    const [height, width] = size;
    const pixels = graph.input('pixels', [packedLength(batchSize * height * width, bits)], 'u32');
    const grey = unpackGrey(pixels, [batchSize, height, width], bits);
    const seen = views ? viewGrey(grey, graph.input('view', viewTableShape(height, width))) : grey;
    this.images = normaliseGrey(seen, preprocessing);
    this.#options = options;
  }

  /**
   * @param pixels [batchSize, h, w] of the preprocessing's bits @param view absent: the image as it is
   * @throws ShapeError for pixels of another number or depth; TailrayError for a view that the program was not made for
   */
  feeds(pixels: GreyPixels, view?: View): Feeds {
    const { batchSize, preprocessing, views } = this.#options;
    const [height, width] = preprocessing.size;
    requireDepth(pixels, preprocessing);
    if (pixels.length !== batchSize * height * width) {
      throw new ShapeError(
        `${pixels.length} pixels are no batch of ${batchSize} pictures of ${height} × ${width}.`,
      );
    }
    const packed = packedWords(pixels);
    if (views) return { pixels: packed, view: viewTable((view ?? identity)(height, width)) };
    if (view === undefined || view === identity) return { pixels: packed };
    throw new TailrayError('The program was made without views: make it with `views: true`.');
  }
}

/** @throws ShapeError */
export function requireDepth(pixels: GreyPixels, { bits }: Pick<ImageFormat, 'bits'>): void {
  if (8 * pixels.BYTES_PER_ELEMENT === bits) return;
  throw new ShapeError(
    `pixels of ${8 * pixels.BYTES_PER_ELEMENT} bits, where the preprocessing has ${bits}: prepare pictures with it.`,
  );
}
