import { describe, test } from 'vitest';
import { conv2d, matmul } from '../../../src/kernels/conv/conv.js';
import { type ConvOptions, convGeometry } from '../../../src/kernels/conv/conv-geometry.js';
import { tileFamily } from '../../../src/kernels/product/tile-family.js';
import { convReference } from '../conv/conv-reference.js';
import { checkOp } from '../check-op.js';
import { RDNA3 } from '../../gpus.js';

/** All three directions by one member of the family. */
const forced = (name: string) => [
  { conv2d: name, conv2dInputGradient: name, conv2dWeightGradient: name },
];

const product =
  (m: number, k: number, n: number) =>
  ([a, b]: Float64Array[]): Float64Array =>
    Float64Array.from({ length: m * n }, (_, at) => {
      let total = 0;
      for (let q = 0; q < k; q++) total += a![Math.floor(at / n) * k + q]! * b![q * n + (at % n)]!;
      return total;
    });

describe.each(tileFamily.map((kernel) => ({ name: kernel.name, shape: kernel.shape(RDNA3) })))(
  '$name',
  ({ name, shape: { rows, columns, slice } }) => {
    // The gradients see the sizes in other places: rows as depth, depth as columns.
    test.each([
      { m: rows, k: slice, n: columns },
      { m: rows + 4, k: 2 * slice - 4, n: columns - 4 },
      { m: rows - 1, k: slice + 1, n: columns + 1 },
    ])('[$m, $k] × [$k, $n]', ({ m, k, n }) =>
      checkOp({
        shapes: [
          [m, k],
          [k, n],
        ],
        build: ([a, b]) => matmul(a!, b!),
        reference: product(m, k, n),
        preferences: forced(name),
      }),
    );

    const convolutions: Record<string, { x: number[]; w: number[] } & ConvOptions> = {
      'taps, channels in whole slices': { x: [2, 5, 4, 32], w: [3, 3, 32, columns - 28], padding: 1 },
      'a stride, channels in fours': { x: [1, 9, 7, 12], w: [3, 2, 12, 20], padding: 1, stride: [2, 3] },
      'a pixel that no tap meets': { x: [2, 6, 5, 4], w: [1, 1, 4, 32], stride: 2 },
    };
    test.each(Object.entries(convolutions))('%s', (_, { x, w, ...options }) =>
      checkOp({
        shapes: [x, w],
        build: ([image, weights]) => conv2d(image!, weights!, options),
        reference: convReference(convGeometry(x, w, options)),
        preferences: forced(name),
      }),
    );
  },
);
