import type { Preprocessing } from '../data/images/preprocessing.js';

/**
 * A model that puts images and texts into one space, where the cosine of two points is their likeness. Embedding, scoring
 * and searching ask for no more than this; `openImageTextModel` opens one.
 */
export interface ImageTextModel {
  /** Values of an embedding. */
  readonly width: number;
  /** Sentences about where its files came from, and what was done to them. */
  readonly notes: readonly string[];
  /** How images are prepared for it. */
  readonly preprocessing: Preprocessing;
  /** The prompts that it was trained with, to be the ones that it is asked by. */
  readonly promptFile?: string | undefined;
  /**
   * @param images [n, height, width, channels], prepared
   * @returns [n, width of the embeddings], each of length 1
   */
  encodeImages(images: Float32Array): Promise<Float32Array>;
  /** What embeds texts. @throws TailrayError that says why, where the model can embed none */
  textSide(): TextSide;
  /** Frees what lies on the device. */
  destroy(): Promise<void>;
}

export interface TextSide {
  /** @returns [texts, width], each of length 1 */
  encode(texts: readonly string[]): Promise<Float32Array>;
  /** SHA-256 of all that decides a text's embedding: the key of kept ones. */
  digest(): string;
}
