import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ShapeError } from '../../../src/engine/errors.js';
import { Graph, type Shape } from '../../../src/engine/graph/tensor.js';
import { logSoftmax, softmax } from '../../../src/kernels/reduce/softmax.js';
import { evaluate } from '../../device.js';
import { checkOp } from '../check-op.js';

/** float64, along one axis. */
function reference(shape: Shape, axis: number, log: boolean): (inputs: Float64Array[]) => Float64Array {
  const stride = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const size = shape[axis]!;
  return ([x]) => {
    const y = new Float64Array(x!.length);
    for (let line = 0; line < y.length / size; line++) {
      const first = Math.floor(line / stride) * stride * size + (line % stride);
      const values = Array.from({ length: size }, (_, k) => x![first + k * stride]!);
      const peak = Math.max(...values);
      const total = values.reduce((sum, value) => sum + Math.exp(value - peak), 0);
      for (const [k, value] of values.entries()) {
        y[first + k * stride] = log ? value - peak - Math.log(total) : Math.exp(value - peak) / total;
      }
    }
    return y;
  };
}

const cases = fc
  .array(fc.constantFrom(1, 2, 3, 4, 5, 8), { minLength: 1, maxLength: 3 })
  .chain((shape) => fc.tuple(fc.constant(shape), fc.nat(shape.length - 1), fc.nat(1000)));

describe('softmax', () => {
  for (const [name, op, log] of [
    ['softmax', softmax, false],
    ['logSoftmax', logSoftmax, true],
  ] as const) {
    test(`${name} and its gradient equal the float64 reference along any axis`, async () => {
      await fc.assert(
        fc.asyncProperty(cases, ([shape, axis, seed]) =>
          checkOp({
            shapes: [shape],
            build: ([x]) => op(x!, axis),
            reference: reference(shape, axis, log),
            fill: (random) => 3 * random.normal(),
            seed,
            // y·(dy − Σ y·dy): where y is near 0 or 1, nearly all of it cancels.
            leastGradient: 0.1,
          }),
        ),
        { numRuns: 6 },
      );
    });

    test(`${name} of long rows, split over two dispatches`, async () => {
      for (const [shape, axis] of [
        [[3, 4999], 1],
        [[2, 600, 4], 1],
      ] as const) {
        await checkOp({
          shapes: [shape],
          build: ([x]) => op(x!, axis),
          reference: reference(shape, axis, log),
        });
      }
    });
  }

  test('logits of ±1e30 and −∞ neither overflow nor give NaN', async () => {
    const rows = [
      [1e30, -1e30, 0, 1e30],
      [-1e30, -1e30, -1e30, -1e30],
      [Number.NEGATIVE_INFINITY, 5, 5, Number.NEGATIVE_INFINITY],
      [88, -104, 88, 88],
    ];
    const [probabilities] = await evaluate(
      [{ shape: [4, 4], values: Float32Array.from(rows.flat()) }],
      ([x]) => [softmax(x!)],
    );
    const expected = [0.5, 0, 0, 0.5, 0.25, 0.25, 0.25, 0.25, 0, 0.5, 0.5, 0, 1 / 3, 0, 1 / 3, 1 / 3];
    for (const [i, value] of expected.entries()) expect(probabilities![i]).toBeCloseTo(value, 6);
  });

  test('an axis that x has not is refused', () => {
    const x = new Graph().input('x', [2, 3]);
    expect(() => softmax(x, 2)).toThrow(ShapeError);
    expect(() => logSoftmax(x, -3)).toThrow(/no axis -3/);
  });
});
