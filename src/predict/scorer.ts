/**
 * A source of scores for batches of images: a network with its weights, or one that sees several views of each image. A scorer keeps to one batch size; padding changes no other image's scores.
 */
export interface Scorer {
  readonly classes: number;
  readonly batchSize: number;
  /** [height, width, channels] */
  readonly imageShape: readonly [number, number, number];
  /** @param images [batchSize, height, width, channels], normalised @returns [batchSize, classes] */
  logits(images: Float32Array): Promise<Float32Array>;
  /** The logits' sigmoid, in the arithmetic of the scorer itself: [batchSize, classes] in [0, 1]. */
  probabilities(images: Float32Array): Promise<Float32Array>;
}
