import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ShapeError } from '../../../src/engine/errors.js';
import { elementCount, Graph, type Shape } from '../../../src/engine/graph/tensor.js';
import { Random } from '../../../src/engine/random.js';
import { grad } from '../../../src/kernels/common/grad.js';
import { batchNorm, batchNormInference } from '../../../src/kernels/norm/batch-norm.js';
import { add, mul, relu } from '../../../src/kernels/pointwise/pointwise-table.js';
import { sum } from '../../../src/kernels/reduce/reduce.js';
import { evaluate, planRows } from '../../device.js';
import { checkOp, expectClose } from '../check-op.js';

const EPSILON = 1e-5;

/** float64, two passes: mean and biased variance of each channel. */
function moments(x: Float64Array, channels: number): { mean: number[]; variance: number[] } {
  const rows = x.length / channels;
  const over = (c: number, f: (value: number) => number) =>
    Array.from({ length: rows }, (_, r) => f(x[r * channels + c]!)).reduce((a, b) => a + b, 0) / rows;
  const mean = Array.from({ length: channels }, (_, c) => over(c, (value) => value));
  return { mean, variance: mean.map((m, c) => over(c, (value) => (value - m) ** 2)) };
}

function normalized(
  [x, gamma, beta]: Float64Array[],
  { mean, variance }: { mean: ArrayLike<number>; variance: ArrayLike<number> },
): Float64Array {
  const channels = gamma!.length;
  return x!.map((value, i) => {
    const c = i % channels;
    return ((value - mean[c]!) / Math.sqrt(variance[c]! + EPSILON)) * gamma![c]! + beta![c]!;
  });
}

const shapes = fc
  .tuple(fc.integer({ min: 2, max: 5 }), fc.integer({ min: 2, max: 6 }), fc.integer({ min: 1, max: 9 }))
  .map(([n, side, c]): Shape => [n, side, side, c]);

describe('batch norm', () => {
  test('training: output and the gradients of x, gamma and beta equal the float64 reference', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, fc.nat(1000), (shape, seed) =>
        checkOp({
          shapes: [shape, [shape.at(-1)!], [shape.at(-1)!]],
          build: ([x, gamma, beta]) => batchNorm(x!, gamma!, beta!, { epsilon: EPSILON }).y,
          reference: (inputs) => normalized(inputs, moments(inputs[0]!, inputs[1]!.length)),
          // A channel of few, nearly equal values has a steep normalisation: keep the values apart.
          fill: (random) => random.normal() + 0.5 * Math.sign(random.normal()),
          tolerance: 5e-5,
          seed,
        }),
      ),
      { numRuns: 5 },
    );
  });

  test('many rows, split over two dispatches', async () => {
    for (const shape of [
      [3, 37, 41, 8],
      [2, 50, 31, 3],
      [2, 40, 32, 1],
      [5, 20, 20, 4],
    ]) {
      await checkOp({
        shapes: [shape, [shape[3]!], [shape[3]!]],
        build: ([x, gamma, beta]) => batchNorm(x!, gamma!, beta!, { epsilon: EPSILON }).y,
        reference: (inputs) => normalized(inputs, moments(inputs[0]!, inputs[1]!.length)),
        tolerance: 5e-5,
      });
    }
  });

  test('evaluation with given moments, with gradients', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, fc.nat(1000), (shape, seed) =>
        checkOp({
          shapes: [shape, ...Array.from({ length: 4 }, () => [shape.at(-1)!])],
          differentiable: [true, true, true, false, false],
          fill: (random, k) => (k === 4 ? random.uniform(0.1, 2) : random.normal()),
          build: ([x, gamma, beta, mean, variance]) =>
            batchNormInference(x!, gamma!, beta!, { mean: mean!, variance: variance!, epsilon: EPSILON }),
          reference: (inputs) => normalized(inputs, { mean: inputs[3]!, variance: inputs[4]! }),
          seed,
        }),
      ),
      { numRuns: 4 },
    );
  });

  test('moments keep full precision when the mean is thousands of deviations from zero', async () => {
    const shape = [4, 16, 16, 8];
    const random = new Random(3);
    const values = Float32Array.from({ length: elementCount(shape) }, () => random.normal(1000, 0.25));
    const expected = moments(Float64Array.from(values), 8);
    for (const style of ['serial', 'tree']) {
      const [mean, variance] = await evaluate(
        [
          { shape, values },
          { shape: [8], values: new Float32Array(8).fill(1) },
          { shape: [8], values: new Float32Array(8) },
        ],
        ([x, gamma, beta]) => {
          const result = batchNorm(x!, gamma!, beta!, { epsilon: EPSILON });
          return [result.mean, result.variance];
        },
        { moments: style },
      );
      expectClose(mean!, expected.mean, 1e-6, `mean, ${style}`);
      // One unit in the last place of 1000 is 6e-5, of which a deviation of .25 feels 2.4e-4; its square averages out.
      const unbiased = expected.variance.map((value) => (value * 1024) / 1023);
      expectClose(variance!, unbiased, 1e-4, `variance, ${style}`);
    }
  });

  test('forward is the moments and one fused pass; backward a mask, one reduction and one pass', async () => {
    const shape = [2, 4, 4, 8];
    const rows = await planRows((graph) => {
      const [x, residual] = [graph.input('x', shape), graph.input('residual', shape)];
      const [gamma, beta] = [graph.input('gamma', [8]), graph.input('beta', [8])];
      const { y } = batchNorm(x, gamma, beta, { epsilon: EPSILON });
      const out = relu(add(y, residual));
      const loss = sum(mul(out, graph.input('w', shape)));
      return [out, ...grad(loss, [x, gamma, beta])];
    });
    expect(rows.map(({ op }) => op)).toEqual([
      'moments',
      'pointwise',
      'pointwise',
      'normalizedSums',
      'pointwise',
    ]);
  });

  test('a channel with a single value is refused', () => {
    const graph = new Graph();
    const gamma = graph.input('gamma', [3]);
    expect(() => batchNorm(graph.input('x', [1, 1, 1, 3]), gamma, gamma, { epsilon: EPSILON })).toThrow(
      /one value a channel/,
    );
    expect(() => batchNorm(graph.input('x2', [4, 4]), gamma, gamma, { epsilon: EPSILON })).toThrow(
      ShapeError,
    );
  });
});
