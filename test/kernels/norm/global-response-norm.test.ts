import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ShapeError } from '../../../src/engine/errors.js';
import { Graph } from '../../../src/engine/graph/tensor.js';
import { grad } from '../../../src/kernels/common/grad.js';
import { globalResponseNorm } from '../../../src/kernels/norm/global-response-norm.js';
import { mul } from '../../../src/kernels/pointwise/pointwise-table.js';
import { evaluate, planRows } from '../../device.js';
import { checkOp } from '../check-op.js';

const EPSILON = 1e-6;

const reference =
  (images: number) =>
  ([x, gamma, beta]: Float64Array[]): Float64Array => {
    const c = gamma!.length;
    const perImage = x!.length / images;
    const y = new Float64Array(x!.length);
    for (let n = 0; n < images; n++) {
      const norms = Array.from({ length: c }, (_, k) => {
        let squares = 0;
        for (let i = n * perImage + k; i < (n + 1) * perImage; i += c) squares += x![i]! ** 2;
        return Math.sqrt(squares);
      });
      const level = norms.reduce((a, b) => a + b) / c;
      for (let i = n * perImage; i < (n + 1) * perImage; i++) {
        const k = i % c;
        y[i] = x![i]! * (1 + (gamma![k]! * norms[k]!) / (level + EPSILON)) + beta![k]!;
      }
    }
    return y;
  };

describe('global response normalisation', () => {
  test('output and all gradients equal the float64 reference', async () => {
    const size = fc.integer({ min: 1, max: 7 });
    const shapes = fc.tuple(fc.integer({ min: 1, max: 3 }), size, size, fc.constantFrom(3, 4, 5, 8, 33, 40));
    await fc.assert(
      fc.asyncProperty(shapes, fc.nat(1000), (shape, seed) =>
        checkOp({
          shapes: [shape, [shape[3]], [shape[3]]],
          build: ([x, gamma, beta]) => globalResponseNorm(x!, gamma!, beta!, { epsilon: EPSILON }),
          reference: reference(shape[0]),
          tolerance: 2e-5,
          seed,
        }),
      ),
      { numRuns: 6 },
    );
  });

  test('a channel without any response passes nothing but its own gradient', async () => {
    const values = Float32Array.of(0, 1, 0, -2, 0, 3, 0, 1);
    const [, dx] = await evaluate(
      [
        { shape: [1, 2, 2, 2], values },
        { shape: [2], values: Float32Array.of(0.5, -0.5) },
        { shape: [2], values: Float32Array.of(0.1, 0.2) },
      ],
      ([x, gamma, beta]) => {
        const y = globalResponseNorm(x!, gamma!, beta!, { epsilon: EPSILON });
        return [y, ...grad(mul(y, y), [x!])];
      },
    );
    expect([...dx!].every(Number.isFinite)).toBe(true);
    // dy = 2y, and y = β at an x of 0: its slope 1 + γ·0 leaves 2β.
    for (const i of [0, 2, 4, 6]) expect(dx![i]).toBeCloseTo(0.2, 6);
  });

  test('nothing of the size of x is made but the result and its gradient', async () => {
    const full = '[2,6,6,8]';
    const rows = await planRows((graph) => {
      const x = graph.input('x', [2, 6, 6, 8]);
      const [gamma, beta, dy] = [
        graph.input('gamma', [8]),
        graph.input('beta', [8]),
        graph.input('dy', [2, 6, 6, 8]),
      ];
      const y = globalResponseNorm(x, gamma, beta, { epsilon: EPSILON });
      return [y, ...grad(mul(y, dy), [x])];
    });
    // The result, the gradient that comes in, and the one that goes out.
    expect(rows.filter(({ shape }) => shape.endsWith(`→ ${full}`))).toHaveLength(3);
  });

  test('operands of other shapes are refused', () => {
    const graph = new Graph();
    const [x, gamma, beta] = [graph.input('x', [2, 1, 1, 3]), graph.input('g', [4]), graph.input('b', [3])];
    expect(() => globalResponseNorm(x, gamma, beta, { epsilon: EPSILON })).toThrow(ShapeError);
    expect(() => globalResponseNorm(beta, beta, beta, { epsilon: EPSILON })).toThrow(ShapeError);
  });
});
