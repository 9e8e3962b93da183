import type { GreyPixels } from '../data/images/prepare.js';
import type { View } from './views/view.js';

/**
 * A source of scores for batches of images: a network with its weights, or one that sees several views of each image. A
 * scorer keeps to one batch size; padding changes no other image's scores. It is given the next batches before it has
 * answered for the first: what it puts on a device for a batch, it submits before it waits.
 */
export interface Scorer {
  readonly classes: number;
  readonly batchSize: number;
  /**
   * @param pixels [batchSize, height, width], prepared by the preprocessing that the scorer was made for
   * @param view how the images are shown; absent: as they are @returns [batchSize, classes]
   */
  logits(pixels: GreyPixels, view?: View): Promise<Float32Array>;
  /** The logits' sigmoid, in the arithmetic of the scorer itself: [batchSize, classes] in [0, 1]. */
  probabilities(pixels: GreyPixels, view?: View): Promise<Float32Array>;
}
