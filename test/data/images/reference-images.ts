import { type GreyPixels, whiteOf } from '../../../src/data/images/prepare.js';
import type { Normalisation } from '../../../src/kernels/image/grey.js';

/** Prepared pixels as the numbers that kernels make of them, in float64. */

/** In [0, 1]. */
export function greyValues(pixels: GreyPixels): Float64Array {
  const white = whiteOf(pixels);
  return Float64Array.from(pixels, (value) => value / white);
}

/** (x − mean) / std in every channel. @param grey [n, h, w] @returns [n, h, w, channels] */
export function normalised(grey: ArrayLike<number>, { channels, mean, std }: Normalisation): Float64Array {
  return Float64Array.from({ length: grey.length * channels }, (_, i) => {
    const c = i % channels;
    return (grey[(i - c) / channels]! - mean[c % mean.length]!) / std[c % std.length]!;
  });
}
