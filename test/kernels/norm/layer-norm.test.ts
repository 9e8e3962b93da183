import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ShapeError } from '../../../src/engine/errors.js';
import { Graph } from '../../../src/engine/graph/tensor.js';
import { Random } from '../../../src/engine/random.js';
import { layerNorm } from '../../../src/kernels/norm/layer-norm.js';
import { evaluate } from '../../device.js';
import { checkOp, expectClose } from '../check-op.js';

const EPSILON = 1e-6;

function reference([x, gamma, beta]: Float64Array[]): Float64Array {
  const c = gamma!.length;
  const y = new Float64Array(x!.length);
  for (let first = 0; first < y.length; first += c) {
    const row = x!.subarray(first, first + c);
    const mean = row.reduce((a, b) => a + b, 0) / c;
    const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / c;
    row.forEach((value, k) => {
      y[first + k] = ((value - mean) / Math.sqrt(variance + EPSILON)) * gamma![k]! + beta![k]!;
    });
  }
  return y;
}

describe('layer norm', () => {
  test('output and all gradients equal the float64 reference', async () => {
    const shapes = fc.tuple(
      fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 0, maxLength: 3 }),
      // Rows of three values and more: of two, the gradient is a cancelled zero.
      fc.constantFrom(3, 4, 5, 7, 8, 12, 33, 96),
    );
    await fc.assert(
      fc.asyncProperty(shapes, fc.nat(1000), ([leading, c], seed) =>
        checkOp({
          shapes: [[...leading, c], [c], [c]],
          build: ([x, gamma, beta]) => layerNorm(x!, gamma!, beta!, { epsilon: EPSILON }),
          reference,
          fill: (random) => random.normal() + 0.5 * Math.sign(random.normal()),
          tolerance: 5e-5,
          seed,
        }),
      ),
      { numRuns: 6 },
    );
  });

  test('many rows and long rows', async () => {
    for (const shape of [
      [40, 20, 4],
      [3, 5000],
    ]) {
      await checkOp({
        shapes: [shape, [shape.at(-1)!], [shape.at(-1)!]],
        build: ([x, gamma, beta]) => layerNorm(x!, gamma!, beta!, { epsilon: EPSILON }),
        reference,
        tolerance: 5e-5,
      });
    }
  });

  test('rows whose mean is thousands of deviations from zero', async () => {
    const random = new Random(5);
    const values = Float32Array.from({ length: 6 * 64 }, () => random.normal(1000, 0.25));
    const [gamma, beta] = [new Float32Array(64).fill(1), new Float32Array(64)];
    const [y] = await evaluate(
      [
        { shape: [6, 64], values },
        { shape: [64], values: gamma },
        { shape: [64], values: beta },
      ],
      ([x, g, b]) => [layerNorm(x!, g!, b!, { epsilon: EPSILON })],
    );
    // The mean is rounded to 6e-5, which a deviation of .25 feels as 2.4e-4.
    expectClose(y!, reference([values, gamma, beta].map((list) => Float64Array.from(list))), 3e-4);
  });

  test('gamma and beta of another length are refused', () => {
    const graph = new Graph();
    const [x, gamma, beta] = [graph.input('x', [2, 3]), graph.input('gamma', [4]), graph.input('beta', [3])];
    expect(() => layerNorm(x, gamma, beta, { epsilon: EPSILON })).toThrow(ShapeError);
  });
});
