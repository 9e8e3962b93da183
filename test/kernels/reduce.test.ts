import fc from 'fast-check';
import { describe, test } from 'vitest';
import { max, mean, sum } from '../../src/kernels/reduce.js';
import { checkOp } from './check-op.js';

/** float64: reduces axes [first, last] of `shape`. */
function reduceReference(
  shape: readonly number[],
  [first, last]: readonly [number, number],
  combine: (values: number[]) => number,
): (inputs: Float64Array[]) => Float64Array {
  const size = (from: number, to: number) => shape.slice(from, to).reduce((a, b) => a * b, 1);
  const [outer, middle, inner] = [size(0, first), size(first, last + 1), size(last + 1, shape.length)];
  return ([x]) =>
    Float64Array.from({ length: outer * inner }, (_, i) => {
      const base = Math.floor(i / inner) * middle * inner + (i % inner);
      return combine(Array.from({ length: middle }, (_, k) => x![base + k * inner]!));
    });
}

const total = (values: number[]) => values.reduce((a, b) => a + b, 0);

const cases = fc
  .array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 })
  .chain((shape) =>
    fc.tuple(fc.constant(shape), fc.nat(shape.length - 1), fc.nat(shape.length - 1), fc.nat(1000)),
  )
  .map(([shape, a, b, seed]) => ({ shape, axes: [Math.min(a, b), Math.max(a, b)] as const, seed }));

describe('reductions', () => {
  for (const [name, op, combine] of [
    ['sum', sum, total],
    ['mean', mean, (values: number[]) => total(values) / values.length],
    ['max', max, (values: number[]) => Math.max(...values)],
  ] as const) {
    test(`${name} and its gradient equal the float64 reference on any shape and axes`, async () => {
      await fc.assert(
        fc.asyncProperty(cases, ({ shape, axes: [first, last], seed }) =>
          checkOp({
            shapes: [shape],
            build: ([x]) =>
              op(
                x!,
                Array.from({ length: last - first + 1 }, (_, i) => first + i),
              ),
            reference: reduceReference(shape, [first, last], combine),
            seed,
          }),
        ),
        { numRuns: 6 },
      );
    });
  }

  test('long reductions, split over two dispatches', async () => {
    for (const shape of [[10_007], [3, 2_000, 5], [1, 999, 64]]) {
      const axis = shape.length === 1 ? 0 : 1;
      await checkOp({
        shapes: [shape],
        build: ([x]) => sum(x!, [axis]),
        reference: reduceReference(shape, [axis, axis], total),
      });
    }
  });
});
