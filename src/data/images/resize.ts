/**
 * Antialiased bilinear resampling of one grey plane. Written here, and not left to the decoder's library, because the
 * numbers must be those that models of this field were trained with: the triangle filter of PIL (BILINEAR), which
 * torchvision and PyTorch follow with `antialias=True`. Golden values from PIL hold it in test/golden.
 *
 * Output pixel i looks at the input around c = (i + ½)·s, s = in/out, through the triangle
 * w(x) = max(0, 1 − |x − c| / max(s, 1)), x at pixel centres, weights scaled to sum 1 at the borders.
 */

/** For every output pixel, the first input pixel it reads and `width` weights (zero-padded). */
export interface Taps {
  readonly first: Int32Array;
  /** [out, width] */
  readonly weights: Float64Array;
  readonly width: number;
}

/** The filter's taps along one axis. */
export function bilinearTaps(input: number, output: number): Taps {
  const scale = input / output;
  const radius = Math.max(scale, 1);
  const width = Math.min(input, 2 * Math.ceil(radius) + 1);
  const first = new Int32Array(output);
  const weights = new Float64Array(output * width);
  for (let i = 0; i < output; i++) {
    const centre = (i + 0.5) * scale;
    const from = Math.max(0, Math.floor(centre - radius + 0.5));
    const to = Math.min(input, Math.floor(centre + radius + 0.5));
    let sum = 0;
    for (let x = from; x < to; x++) sum += Math.max(0, 1 - Math.abs(x + 0.5 - centre) / radius);
    // taps past the last pixel are zero, but must stay readable
    const start = Math.min(from, input - width);
    first[i] = start;
    for (let x = from; x < to; x++) {
      weights[i * width + x - start] = Math.max(0, 1 - Math.abs(x + 0.5 - centre) / radius) / sum;
    }
  }
  return { first, weights, width };
}

/**
 * Resizes a grey plane [height, width] to [outHeight, outWidth]; values keep their unit.
 * @param look maps a stored value to the value to resample (a window's look-up table); the identity when absent
 */
export function resizeBilinear(
  plane: { pixels: Uint8Array | Uint16Array | Float32Array; width: number; height: number },
  outHeight: number,
  outWidth: number,
  look?: Float32Array,
): Float32Array {
  const { pixels, width, height } = plane;
  const across = bilinearTaps(width, outWidth);
  const rows = new Float32Array(height * outWidth);
  const line = new Float32Array(width);
  for (let y = 0; y < height; y++) {
    const at = y * width;
    if (look === undefined) for (let x = 0; x < width; x++) line[x] = pixels[at + x] ?? 0;
    else for (let x = 0; x < width; x++) line[x] = look[pixels[at + x] ?? 0] ?? 0;
    for (let x = 0; x < outWidth; x++) {
      const first = across.first[x] ?? 0;
      const base = x * across.width;
      let sum = 0;
      for (let k = 0; k < across.width; k++) sum += (across.weights[base + k] ?? 0) * (line[first + k] ?? 0);
      rows[y * outWidth + x] = sum;
    }
  }
  const down = bilinearTaps(height, outHeight);
  const out = new Float32Array(outHeight * outWidth);
  const sums = new Float64Array(outWidth);
  for (let y = 0; y < outHeight; y++) {
    const first = down.first[y] ?? 0;
    sums.fill(0);
    for (let k = 0; k < down.width; k++) {
      const weight = down.weights[y * down.width + k] ?? 0;
      if (weight === 0) continue;
      const at = (first + k) * outWidth;
      for (let x = 0; x < outWidth; x++) sums[x] = (sums[x] ?? 0) + weight * (rows[at + x] ?? 0);
    }
    out.set(sums, y * outWidth);
  }
  return out;
}
