import { Random } from '../../../src/engine/random.js';
import { augmentGrey } from '../../../src/kernels/image/augment-grey.js';
import {
  changesShape,
  type PictureChanges,
  type PossibleChanges,
  packChanges,
} from '../../../src/kernels/image/change-table.js';
import { greyToLightness, lightnessToGrey } from '../../../src/kernels/image/lightness.js';
import { evaluate } from '../../device.js';
import { changed } from './augment-reference.js';

/** Batches that go through the kernels, and the same through the reference. */

export const NOTHING: PictureChanges = {
  flip: false,
  move: null,
  clahe: null,
  tone: null,
  noise: null,
  holes: [],
};

export const IMPOSSIBLE: PossibleChanges = {
  flip: false,
  affine: false,
  clahe: false,
  brightnessContrast: false,
  noise: false,
  dropout: false,
};

export const EVERYTHING = {
  flip: {},
  affine: {},
  clahe: { tiles: 8 },
  brightnessContrast: {},
  noise: {},
  dropout: { holes: 6 },
} satisfies PossibleChanges;

/** [n, height, width]: n pictures of 8-bit grey values, half of them smooth. */
export function pictures(n: number, height: number, width: number, seed = 1): Float32Array<ArrayBuffer> {
  const random = new Random(seed, 'pictures', n, height, width);
  const count = height * width;
  return Float32Array.from({ length: n * count }, (_, i) => {
    const [y, x] = [Math.floor((i % count) / width) / height, (i % width) / width];
    const grey = random.uniform() * (Math.floor(i / count) % 2 === 0 ? 1 : 0.1) * 255;
    return Math.round(Math.min(255, grey + 120 * y * (1 + Math.sin(9 * x)))) / 255;
  });
}

/** The kernels' answer on a batch [n, height, width]. */
export async function byKernels(
  batch: Float32Array,
  [n, height, width]: readonly [number, number, number],
  changes: readonly PictureChanges[],
  possible: PossibleChanges,
): Promise<Float32Array> {
  const [out] = await evaluate(
    [
      { shape: [n, height, width], values: batch },
      { shape: changesShape(possible, n), values: packChanges(changes, possible, [n, height, width]) },
    ],
    ([grey, table]) => [augmentGrey(grey!, table!, possible)],
  );
  return out!;
}

/** The reference's answer on the same. */
export function byReference(
  batch: Float32Array,
  [n, height, width]: readonly [number, number, number],
  changes: readonly PictureChanges[],
  { tiles = 8, nudge = 0 } = {},
): Float64Array {
  const out = new Float64Array(batch.length);
  const count = height * width;
  for (let i = 0; i < n; i++) {
    const values = Float64Array.from(batch.subarray(i * count, (i + 1) * count));
    const clahe = { tiles, nudge, there: greyToLightness(), back: lightnessToGrey() };
    out.set(changed({ height, width, values }, changes[i] ?? NOTHING, clahe).values, i * count);
  }
  return out;
}

/** How far the kernels are from the reference on a batch of pictures, at most. */
export async function distanceFromReference(
  shape: readonly [number, number, number],
  changes: readonly PictureChanges[],
  possible: PossibleChanges,
): Promise<number> {
  const batch = pictures(...shape);
  return largestDifference(
    await byKernels(batch, shape, changes, possible),
    byReference(batch, shape, changes),
  );
}

/** The largest difference between two pictures. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i]! - b[i]!));
  return largest;
}
