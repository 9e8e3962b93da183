import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ShapeError } from '../../../src/engine/errors.js';
import { Graph } from '../../../src/engine/graph/tensor.js';
import { conv2d, matmul } from '../../../src/kernels/conv/conv.js';
import { type ConvOptions, convGeometry } from '../../../src/kernels/conv/conv-geometry.js';
import { checkOp } from '../check-op.js';
import { convReference } from './conv-reference.js';

interface Case extends ConvOptions {
  readonly x: readonly [number, number, number, number];
  readonly w: readonly [number, number, number, number];
}

function check({ x, w, ...options }: Case, seed = 1): Promise<void> {
  return checkOp({
    shapes: [x, w],
    build: ([image, weights]) => conv2d(image!, weights!, options),
    reference: convReference(convGeometry(x, w, options)),
    seed,
  });
}

describe('conv2d, its input gradient and its weight gradient', () => {
  const named: Record<string, Case> = {
    '3×3': { x: [2, 8, 8, 32], w: [3, 3, 32, 64], padding: 1 },
    '3×3 of narrow channels': { x: [2, 9, 7, 16], w: [3, 3, 16, 16], padding: 1 },
    '3×3 stride 2 on odd sizes': { x: [3, 9, 11, 8], w: [3, 3, 8, 12], padding: 1, stride: 2 },
    '1×1 stride 2, a projection shortcut': { x: [2, 6, 6, 16], w: [1, 1, 16, 32], stride: 2 },
    '7×7 stride 2 stem on grey': { x: [2, 15, 17, 1], w: [7, 7, 1, 16], padding: 3, stride: 2 },
    '7×7 stride 2 stem on colour': { x: [1, 14, 14, 3], w: [7, 7, 3, 8], padding: 3, stride: 2 },
    dilated: { x: [1, 11, 10, 4], w: [3, 3, 4, 8], padding: 2, dilation: 2 },
    'patches of colour': { x: [2, 8, 12, 3], w: [4, 4, 3, 8], stride: 4 },
    'patches whose rows fill no texels': { x: [2, 6, 9, 3], w: [3, 3, 3, 8], stride: 3 },
    'patches of other sizes than the steps between their rows': {
      x: [1, 9, 8, 6],
      w: [3, 2, 6, 8],
      stride: [2, 2],
    },
    'stride and dilation together': {
      x: [1, 13, 12, 4],
      w: [3, 3, 4, 4],
      padding: [2, 1],
      stride: [3, 2],
      dilation: [2, 3],
    },
    grouped: { x: [2, 6, 5, 12], w: [3, 3, 4, 6], padding: 1, groups: 3 },
    'depthwise 7×7': { x: [1, 9, 9, 8], w: [7, 7, 1, 8], padding: 3, groups: 8 },
    'one-sided padding': { x: [1, 6, 7, 4], w: [2, 3, 4, 4], padding: [0, 1, 2, 0] },
    'odd channels': { x: [2, 5, 4, 5], w: [3, 2, 5, 7], padding: 1 },
    'kernel larger than the stride leaves gaps': { x: [1, 9, 9, 4], w: [1, 1, 4, 8], stride: 3 },
    'padding beyond the kernel': { x: [1, 4, 4, 4], w: [1, 1, 4, 4], padding: 2 },
    'a pixel that no tap meets': { x: [1, 1, 1, 4], w: [1, 1, 4, 4], padding: 1, stride: 3 },
    'one pixel': { x: [1, 1, 1, 8], w: [1, 1, 8, 4] },
    'wide pixels, one-sided padding': { x: [2, 5, 4, 32], w: [2, 3, 32, 64], padding: [0, 2, 2, 0] },
    'wide pixels, stride 2': { x: [2, 5, 4, 64], w: [3, 3, 64, 32], padding: 1, stride: 2 },
    'wide pixels, some unread': { x: [3, 4, 4, 32], w: [1, 1, 32, 64], stride: 2 },
    'wide pixels, dilated in groups': {
      x: [1, 6, 2, 64],
      w: [2, 2, 32, 64],
      dilation: [3, 1],
      padding: 1,
      groups: 2,
    },
    'rows of weights that share cache sets': { x: [1, 4, 10, 4], w: [1, 2, 4, 1024] },
    'channels that fill no panel': { x: [1, 7, 7, 72], w: [2, 2, 72, 72] },
    'so many pixels that gradients take transposed weights': {
      x: [1, 13, 11, 72],
      w: [3, 2, 72, 20],
      padding: 1,
    },
    'the same in groups and passes': {
      x: [1, 25, 23, 64],
      w: [3, 3, 32, 64],
      padding: 1,
      stride: 2,
      groups: 2,
    },
    'two pixels': { x: [1, 1, 2, 72], w: [3, 3, 72, 36], padding: 1 },
    'many columns': { x: [1, 3, 5, 4], w: [3, 3, 4, 132], padding: 1 },
  };
  for (const [name, geometry] of Object.entries(named)) {
    test(name, () => check(geometry));
  }

  test('any geometry', async () => {
    const size = (max: number) => fc.integer({ min: 1, max });
    const geometry = fc
      .record({
        n: size(3),
        h: size(9),
        w: size(9),
        kh: size(4),
        kw: size(4),
        stride: fc.tuple(size(3), size(3)),
        dilation: fc.tuple(size(2), size(2)),
        padding: fc.tuple(fc.nat(3), fc.nat(3)),
        groups: size(3),
        perGroup: size(6),
        outputs: size(9),
        seed: fc.nat(1000),
      })
      .filter(({ h, w, kh, kw, dilation, padding }) => {
        return h + 2 * padding[0] > dilation[0] * (kh - 1) && w + 2 * padding[1] > dilation[1] * (kw - 1);
      });
    await fc.assert(
      fc.asyncProperty(geometry, ({ n, h, w, kh, kw, groups, perGroup, outputs, seed, ...options }) =>
        check(
          { x: [n, h, w, perGroup * groups], w: [kh, kw, perGroup, outputs * groups], groups, ...options },
          seed,
        ),
      ),
      { numRuns: 40 },
    );
  });

  test('a sum over many pixels, cut into shares', () =>
    check({ x: [4, 32, 32, 4], w: [3, 3, 4, 8], padding: 1 }));

  test('refuses operands that do not fit, and says what would', () => {
    const graph = new Graph();
    const x = graph.input('x', [1, 4, 4, 6]);
    const w = graph.input('w', [3, 3, 5, 8]);
    expect(() => conv2d(x, w)).toThrow(ShapeError);
    expect(() => conv2d(x, w)).toThrow('6 channels into 8 with 1 groups need weights [kh, kw, 6, 8]');
    expect(() => conv2d(x, graph.input('v', [7, 7, 6, 8]))).toThrow('does not fit on a 4×4 image');
  });
});

describe('matmul', () => {
  const product =
    (m: number, k: number, n: number, transposeA: boolean, transposeB: boolean) =>
    ([a, b]: Float64Array[]): Float64Array =>
      Float64Array.from({ length: m * n }, (_, at) => {
        const i = Math.floor(at / n);
        const j = at % n;
        let total = 0;
        for (let q = 0; q < k; q++) {
          total += a![transposeA ? q * m + i : i * k + q]! * b![transposeB ? j * k + q : q * n + j]!;
        }
        return total;
      });

  for (const [transposeA, transposeB] of [
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ] as const) {
    test(`${transposeA ? 'Aᵀ' : 'A'}·${transposeB ? 'Bᵀ' : 'B'}`, async () => {
      for (const [m, k, n] of [
        [8, 512, 14],
        [33, 20, 64],
        [1, 7, 1],
      ] as const) {
        await checkOp({
          shapes: [transposeA ? [k, m] : [m, k], transposeB ? [n, k] : [k, n]],
          build: ([a, b]) => matmul(a!, b!, { transposeA, transposeB }),
          reference: product(m, k, n, transposeA, transposeB),
        });
      }
    });
  }
});
