import type { GreyPixels } from '../data/images/prepare.js';
import type { Preprocessing } from '../data/images/preprocessing.js';
import type { View } from '../predict/views/view.js';

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
  /** Of a model that `train` made. */
  readonly training?: ImageTextTraining | undefined;
  /**
   * @param pixels [n, height, width], prepared @param view how the images are shown; absent: as they are
   * @returns [n, width of the embeddings], each of length 1
   */
  encodeImages(pixels: GreyPixels, view?: View): Promise<Float32Array>;
  /** What embeds texts. @throws TailrayError that says why, where the model can embed none */
  textSide(): TextSide;
  /** Frees what lies on the device. */
  destroy(): Promise<void>;
}

export interface ImageTextTraining {
  /** The findings whose labels it was trained on. */
  readonly classes: readonly string[];
  /** Those that its run was declared zero-shot for. */
  readonly unseen: readonly string[];
  /** The file of prompts that it was trained with, where it lies beside the model. */
  readonly prompts?: string | undefined;
}

export interface TextSide {
  /** @returns [texts, width], each of length 1 */
  encode(texts: readonly string[]): Promise<Float32Array>;
  /** SHA-256 of all that decides a text's embedding: the key of kept ones. */
  digest(): string;
}
