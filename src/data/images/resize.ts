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

/** A grey plane: [height, width]. */
interface Plane {
  readonly pixels: Uint8Array | Uint16Array | Float32Array;
  readonly width: number;
  readonly height: number;
}

/**
 * Resizes a grey plane [height, width] to [outHeight, outWidth]; values keep their unit.
 * @param look maps a stored value to the value to resample (a window's look-up table); the identity when absent
 */
export function resizeBilinear(
  plane: Plane,
  outHeight: number,
  outWidth: number,
  look?: Float32Array,
): Float32Array {
  const rows = resizeRows(plane, outWidth, look);
  return resizeColumns(rows, { width: outWidth, height: plane.height }, outHeight);
}

/*
 * Both passes make four sums at once: a weight is read once for all of them, and they don't wait for each other. Each
 * adds up in float64 in the order of its taps, as one at a time would.
 */

/** @returns [height, outWidth] */
function resizeRows({ pixels, width, height }: Plane, outWidth: number, look?: Float32Array): Float32Array {
  const { first, weights, width: taps } = bilinearTaps(width, outWidth);
  const rows = new Float32Array(height * outWidth);
  const a = new Float64Array(width);
  const b = new Float64Array(width);
  const c = new Float64Array(width);
  const d = new Float64Array(width);
  for (let y = 0; y < height; y += 4) {
    // past the last row, the last one again
    const yB = Math.min(y + 1, height - 1);
    const yC = Math.min(y + 2, height - 1);
    const yD = Math.min(y + 3, height - 1);
    readLine(a, pixels, y * width, look);
    readLine(b, pixels, yB * width, look);
    readLine(c, pixels, yC * width, look);
    readLine(d, pixels, yD * width, look);
    for (let x = 0; x < outWidth; x++) {
      const end = (x + 1) * taps;
      let sumA = 0;
      let sumB = 0;
      let sumC = 0;
      let sumD = 0;
      for (let k = x * taps, from = first[x] as number; k < end; k++, from++) {
        const weight = weights[k] as number;
        sumA += weight * (a[from] as number);
        sumB += weight * (b[from] as number);
        sumC += weight * (c[from] as number);
        sumD += weight * (d[from] as number);
      }
      rows[y * outWidth + x] = sumA;
      rows[yB * outWidth + x] = sumB;
      rows[yC * outWidth + x] = sumC;
      rows[yD * outWidth + x] = sumD;
    }
  }
  return rows;
}

function readLine(line: Float64Array, pixels: Plane['pixels'], from: number, look?: Float32Array): void {
  if (look === undefined) for (let x = 0; x < line.length; x++) line[x] = pixels[from + x] as number;
  else for (let x = 0; x < line.length; x++) line[x] = look[pixels[from + x] as number] ?? 0;
}

/** @param rows [height, width] @returns [outHeight, width] */
function resizeColumns(
  rows: Float32Array,
  { width, height }: { width: number; height: number },
  outHeight: number,
): Float32Array {
  const { first, weights, width: taps } = bilinearTaps(height, outHeight);
  const out = new Float32Array(outHeight * width);
  for (let y = 0; y < outHeight; y++) {
    const top = (first[y] as number) * width;
    const start = y * taps;
    const to = y * width;
    let x = 0;
    for (; x + 3 < width; x += 4) {
      let sumA = 0;
      let sumB = 0;
      let sumC = 0;
      let sumD = 0;
      for (let k = start, from = top + x; k < start + taps; k++, from += width) {
        const weight = weights[k] as number;
        sumA += weight * (rows[from] as number);
        sumB += weight * (rows[from + 1] as number);
        sumC += weight * (rows[from + 2] as number);
        sumD += weight * (rows[from + 3] as number);
      }
      out[to + x] = sumA;
      out[to + x + 1] = sumB;
      out[to + x + 2] = sumC;
      out[to + x + 3] = sumD;
    }
    for (; x < width; x++) {
      let sum = 0;
      for (let k = start, from = top + x; k < start + taps; k++, from += width) {
        sum += (weights[k] as number) * (rows[from] as number);
      }
      out[to + x] = sum;
    }
  }
  return out;
}
