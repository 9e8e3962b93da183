import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Graph } from '../../../src/engine/graph/tensor.js';
import { conv2d } from '../../../src/kernels/conv/conv.js';
import { type ConvOptions, convGeometry } from '../../../src/kernels/conv/conv-geometry.js';
import { planRows } from '../../device.js';
import { checkOp } from '../check-op.js';
import { convReference } from './conv-reference.js';

interface Case extends Omit<ConvOptions, 'groups'> {
  readonly x: readonly [number, number, number, number];
  readonly kernel: readonly [number, number];
}

function check({ x, kernel, ...rest }: Case, seed = 1): Promise<void> {
  const options = { ...rest, groups: x[3] };
  const w = [...kernel, 1, x[3]] as const;
  return checkOp({
    shapes: [x, w],
    build: ([image, weights]) => conv2d(image!, weights!, options),
    reference: convReference(convGeometry(x, w, options)),
    seed,
  });
}

describe('depthwise convolution and its gradients', () => {
  const named: Record<string, Case> = {
    '7×7': { x: [2, 9, 11, 12], kernel: [7, 7], padding: 3 },
    '7×7, channels that fill no group of lanes': { x: [3, 8, 5, 40], kernel: [7, 7], padding: 3 },
    '7×7 on images smaller than the kernel': { x: [3, 2, 2, 8], kernel: [7, 7], padding: 3 },
    '7×7 stride 2': { x: [2, 13, 11, 8], kernel: [7, 7], padding: 3, stride: 2 },
    '5×5': { x: [1, 7, 9, 4], kernel: [5, 5], padding: 2 },
    '3×3': { x: [2, 10, 9, 16], kernel: [3, 3], padding: 1 },
    '3×3 stride 2': { x: [2, 9, 12, 8], kernel: [3, 3], padding: 1, stride: 2 },
    '3×3 without padding': { x: [2, 6, 7, 8], kernel: [3, 3] },
    '3×3, strides of two kinds, one-sided padding': {
      x: [1, 8, 9, 4],
      kernel: [3, 3],
      stride: [2, 1],
      padding: [0, 1, 2, 0],
    },
    'padding beyond the kernel': { x: [2, 3, 3, 4], kernel: [3, 3], padding: 5 },
    'channels that fill no texel': { x: [2, 6, 5, 7], kernel: [3, 3], padding: 1 },
    '13×13': { x: [2, 9, 15, 6], kernel: [13, 13], padding: 6 },
    '31×31, wider than the image': { x: [1, 8, 7, 4], kernel: [31, 31], padding: 15 },
    '21×5 on a wide image': { x: [1, 5, 37, 3], kernel: [5, 21], padding: [2, 10] },
    '9×9 stride 3': { x: [1, 11, 13, 5], kernel: [9, 9], padding: 4, stride: 3 },
    '7×7 dilated by 3': { x: [2, 13, 11, 4], kernel: [7, 7], padding: 9, dilation: 3 },
    '3×3 dilated by 2, stride 3': { x: [1, 12, 13, 4], kernel: [3, 3], padding: 2, dilation: 2, stride: 3 },
    '3×3 dilated by 4, stride 2': { x: [1, 12, 13, 4], kernel: [3, 3], padding: 4, dilation: 4, stride: 2 },
    'rows cut into shares': { x: [1, 40, 6, 4], kernel: [3, 3], padding: 1 },
    'images cut into shares': { x: [5, 7, 7, 8], kernel: [7, 7], padding: 3 },
  };
  for (const [name, geometry] of Object.entries(named)) {
    test(name, () => check(geometry));
  }

  test('any geometry', async () => {
    const size = (max: number) => fc.integer({ min: 1, max });
    const geometry = fc
      .record({
        n: size(3),
        h: size(12),
        w: size(12),
        texels: size(3),
        kernel: fc.constantFrom([3, 3] as const, [7, 7] as const),
        stride: fc.tuple(size(2), size(2)),
        padding: fc.tuple(fc.nat(4), fc.nat(4)),
        seed: fc.nat(1000),
      })
      .filter(
        ({ h, w, kernel, padding }) => h + 2 * padding[0] >= kernel[0] && w + 2 * padding[1] >= kernel[1],
      );
    await fc.assert(
      fc.asyncProperty(geometry, ({ n, h, w, texels, seed, ...options }) =>
        check({ x: [n, h, w, 4 * texels], ...options }, seed),
      ),
      { numRuns: 8 },
    );
  });

  test('runs by a kernel of its own, not by the one for any geometry', async () => {
    const [row] = await planRows((graph: Graph) => [
      conv2d(graph.input('x', [1, 8, 8, 8]), graph.input('w', [7, 7, 1, 8]), { padding: 3, groups: 8 }),
    ]);
    expect(row!.variant).toMatch(/^rolling/);
  });
});
