import { dot } from './scoring/vectors.js';

/** Images by their likeness to a text. */
export interface Found {
  /** Position among the embedded images. */
  readonly position: number;
  /** Cosine of image and text, in [−1, 1]. */
  readonly cosine: number;
}

/**
 * The images most like a text, the likest first; of equal ones the first.
 * @param images [n, width] and @param text [width], each of length 1
 */
export function searchImages(images: Float32Array, text: Float32Array, top: number): Found[] {
  const width = text.length;
  const found = Array.from({ length: images.length / width }, (_, position): Found => {
    return { position, cosine: dot(images.subarray(position * width, (position + 1) * width), text) };
  });
  return found.sort((a, b) => b.cosine - a.cosine || a.position - b.position).slice(0, top);
}
