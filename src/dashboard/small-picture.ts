import type { Dataset } from '../data/dataset.js';
import { encodeGreyPng } from '../data/images/encode-png.js';
import { ImageError } from '../data/images/image-error.js';
import { whiteOf } from '../data/images/prepare.js';

/** Pixels of the longer side, at most. */
const LARGEST = 256;

/**
 * A picture as the network is shown it, as PNG; a large one is made smaller by the mean of blocks of pixels. It comes from
 * the data set's memory where it lies there.
 * @returns null where it can't be read any more
 */
export async function smallPicture(dataset: Dataset, position: number): Promise<Uint8Array | null> {
  const [height, width] = dataset.preprocessing.size;
  try {
    const grey = await dataset.loadPixels(position);
    const block = Math.ceil(Math.max(height, width) / LARGEST);
    const [rows, columns] = [Math.floor(height / block), Math.floor(width / block)];
    const scale = 255 / whiteOf(grey) / block ** 2;
    const pixels = new Uint8Array(rows * columns);
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++) {
        let sum = 0;
        for (let i = 0; i < block ** 2; i++) {
          sum += grey[(y * block + Math.floor(i / block)) * width + x * block + (i % block)] ?? 0;
        }
        pixels[y * columns + x] = Math.round(sum * scale);
      }
    }
    return encodeGreyPng(pixels, columns, rows);
  } catch (error) {
    if (error instanceof ImageError) return null;
    throw error;
  }
}
