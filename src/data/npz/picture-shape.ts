import type { NpyHeader } from './npy-header.js';
import { NpzError } from './npz-archive.js';

/** The pictures of an array: [count, height, width] or [count, height, width, 1 or 3], of 8 or 16 bits. */
export interface PictureShape {
  readonly count: number;
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3;
}

const MAX_SIDE = 32_768;

/** @throws NpzError */
export function pictureShape(name: string, { shape, kind, bytesEach }: NpyHeader): PictureShape {
  const [count = 0, height = 0, width = 0, channels = 1] = shape;
  const flat = shape.length === 3 || (shape.length === 4 && (channels === 1 || channels === 3));
  const sound = height > 0 && width > 0 && height <= MAX_SIDE && width <= MAX_SIDE;
  if (!flat || !sound) {
    throw new NpzError(
      `${name} has the shape (${shape.join(', ')}); pictures are (count, height, width), or with 3 channels at the end.`,
    );
  }
  if (kind !== 'u' || bytesEach > 2) {
    throw new NpzError(`${name} holds other values than unsigned integers of 8 or 16 bits.`);
  }
  return { count, height, width, channels: channels === 3 ? 3 : 1 };
}
