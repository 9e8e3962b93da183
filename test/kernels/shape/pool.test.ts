import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ShapeError } from '../../../src/engine/errors.js';
import { Graph, type Shape } from '../../../src/engine/graph/tensor.js';
import { grad } from '../../../src/kernels/common/grad.js';
import { mul } from '../../../src/kernels/pointwise/pointwise-table.js';
import { sum } from '../../../src/kernels/reduce/reduce.js';
import { averagePool2d, globalAveragePool, maxPool2d } from '../../../src/kernels/shape/pool.js';
import { evaluate } from '../../device.js';
import { checkOp } from '../check-op.js';

interface Options {
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly ceilMode: boolean;
}

/** Windows begin inside the image or its leading padding; without ceilMode they also end within the padding. */
function windows(size: number, k: 0 | 1, { kernel, stride, padding, ceilMode }: Options): number {
  let count = 0;
  for (let start = -padding[k]; start < size; start += stride[k]) {
    if (start + (ceilMode ? 1 : kernel[k]) <= size + padding[k]) count++;
    if (start + kernel[k] >= size + padding[k]) break;
  }
  return count;
}

/** float64: `combine` sees the values of each window that lie inside, and how many it has with padding. */
function poolReference(
  [n, h, w, c]: Shape,
  options: Options,
  combine: (values: number[], padded: number) => number,
): (inputs: Float64Array[]) => Float64Array {
  const { kernel, stride, padding } = options;
  const [[kh, kw], [sh, sw], [ph, pw]] = [kernel, stride, padding];
  const [oh, ow] = [windows(h!, 0, options), windows(w!, 1, options)];
  return ([x]) => {
    const y = new Float64Array(n! * oh * ow * c!);
    for (let i = 0; i < y.length; i++) {
      const channel = i % c!;
      const column = Math.floor(i / c!) % ow;
      const row = Math.floor(i / (c! * ow)) % oh;
      const image = Math.floor(i / (c! * ow * oh));
      const values: number[] = [];
      let padded = 0;
      for (let v = row * sh - ph; v < row * sh - ph + kh; v++) {
        for (let u = column * sw - pw; u < column * sw - pw + kw; u++) {
          if (v < h! + ph && u < w! + pw) padded++;
          if (v >= 0 && v < h! && u >= 0 && u < w!)
            values.push(x![((image * h! + v) * w! + u) * c! + channel]!);
        }
      }
      y[i] = combine(values, padded);
    }
    return y;
  };
}

const axis = fc
  .tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 3 }), fc.nat(2), fc.nat(6))
  .map(([kernel, stride, padding, extra]) => ({
    kernel,
    stride,
    padding: Math.min(padding, Math.floor(kernel / 2)),
    size: kernel + extra,
  }));

const cases = fc
  .tuple(axis, axis, fc.integer({ min: 1, max: 2 }), fc.constantFrom(1, 3, 4, 8), fc.boolean(), fc.nat(1000))
  .map(([rows, columns, n, c, ceilMode, seed]) => ({
    shape: [n, rows.size, columns.size, c],
    options: {
      kernel: [rows.kernel, columns.kernel],
      stride: [rows.stride, columns.stride],
      padding: [rows.padding, columns.padding],
      ceilMode,
    } as Options,
    seed,
  }));

const total = (values: number[]) => values.reduce((a, b) => a + b, 0);

describe('pooling', () => {
  test('the maximum of every window, and its gradient', async () => {
    await fc.assert(
      fc.asyncProperty(cases, ({ shape, options, seed }) =>
        checkOp({
          shapes: [shape],
          build: ([x]) => maxPool2d(x!, options),
          reference: poolReference(shape, options, (values) => Math.max(...values)),
          tolerance: 1e-6,
          seed,
        }),
      ),
      { numRuns: 8 },
    );
  });

  test('ResNet’s 3×3 window of stride 2 and padding 1, on a map of more than one workgroup', async () => {
    const options: Options = { kernel: [3, 3], stride: [2, 2], padding: [1, 1], ceilMode: false };
    await checkOp({
      shapes: [[2, 17, 16, 8]],
      build: ([x]) => maxPool2d(x!, { kernel: 3, stride: 2, padding: 1 }),
      reference: poolReference([2, 17, 16, 8], options, (values) => Math.max(...values)),
      tolerance: 1e-6,
    });
  });

  test('of equal elements the first gets the whole gradient, also next to padding', async () => {
    for (const c of [1, 4]) {
      // All equal: every window's gradient goes to its first element inside.
      const values = new Float32Array(4 * 4 * c).fill(-2);
      const [dx] = await evaluate([{ shape: [1, 4, 4, c], values }], ([x]) =>
        grad(sum(maxPool2d(x!, { kernel: 3, stride: 2, padding: 1 })), [x!]),
      );
      // Windows begin at rows and columns −1 and 1: the first inside are 0 and 1.
      const expected = [1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
      expect([...dx!]).toEqual(expected.flatMap((value) => Array.from({ length: c }, () => value)));
    }
  });

  test('−∞ everywhere still gives a gradient to an element, and nothing to padding', async () => {
    const values = new Float32Array(4).fill(Number.NEGATIVE_INFINITY);
    const [y, dx] = await evaluate([{ shape: [1, 2, 2, 1], values }], ([x]) => {
      const pooled = maxPool2d(x!, { kernel: 2, stride: 1, padding: 1 });
      return [pooled, ...grad(sum(mul(pooled, 0.5)), [x!])];
    });
    expect(y!.length).toBe(9);
    expect(total([...dx!])).toBe(4.5);
  });

  for (const countIncludePad of [true, false]) {
    test(`the average of every window, ${countIncludePad ? 'with' : 'without'} padding, and its gradient`, async () => {
      await fc.assert(
        fc.asyncProperty(cases, ({ shape, options, seed }) =>
          checkOp({
            shapes: [shape],
            build: ([x]) => averagePool2d(x!, { ...options, countIncludePad }),
            reference: poolReference(
              shape,
              options,
              (values, padded) => total(values) / (countIncludePad ? padded : values.length),
            ),
            seed,
          }),
        ),
        { numRuns: 6 },
      );
    });
  }

  test('the d networks’ 2×2 average at an odd size: the last row and column by themselves', async () => {
    const values = Float32Array.from({ length: 15 * 4 }, (_, i) => Math.floor(i / 4));
    const [y] = await evaluate([{ shape: [1, 3, 5, 4], values }], ([x]) => [
      averagePool2d(x!, { kernel: 2, stride: 2, ceilMode: true, countIncludePad: false }),
    ]);
    expect([...y!].filter((_, i) => i % 4 === 0)).toEqual([3, 5, 6.5, 10.5, 12.5, 14]);
  });

  test('global average', async () => {
    for (const shape of [
      [3, 7, 5, 6],
      [2, 16, 16, 8],
    ]) {
      await checkOp({
        shapes: [shape],
        build: ([x]) => globalAveragePool(x!),
        reference: ([x]) => {
          const [n, h, w, c] = shape as [number, number, number, number];
          return Float64Array.from(
            { length: n * c },
            (_, i) =>
              total(
                Array.from({ length: h * w }, (_, k) => x![(Math.floor(i / c) * h * w + k) * c + (i % c)]!),
              ) /
              (h * w),
          );
        },
      });
    }
  });

  test('windows that do not fit are refused while tracing', () => {
    const x = new Graph().input('x', [1, 4, 4, 2]);
    expect(() => maxPool2d(x, { kernel: 5 })).toThrow(ShapeError);
    expect(() => maxPool2d(x, { kernel: 3, padding: 2 })).toThrow(/at most half the kernel/);
    expect(() => averagePool2d(x, { kernel: 2, stride: 0 })).toThrow(ShapeError);
    expect(() => averagePool2d(new Graph().input('x', [4, 4, 2]), { kernel: 2 })).toThrow(/\[n, h, w, c\]/);
  });
});
