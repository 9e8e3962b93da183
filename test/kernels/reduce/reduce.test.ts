import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ShapeError } from '../../../src/engine/errors.js';
import { Graph } from '../../../src/engine/graph/tensor.js';
import { Random } from '../../../src/engine/random.js';
import { mul } from '../../../src/kernels/pointwise/pointwise-table.js';
import { max, mean, sum } from '../../../src/kernels/reduce/reduce.js';
import { evaluate, planRows } from '../../device.js';
import { checkOp } from '../check-op.js';

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

  test('the sum of squares of a large shard: one fused pass, accurate, the same bits every time', async () => {
    const length = 3_000_000;
    const random = new Random(4);
    const values = Float32Array.from({ length }, () => random.uniform(-1, 1));
    const exact = values.reduce((sum, value) => sum + value * value, 0);
    for (const style of ['serial', 'tree']) {
      const runs = [];
      for (let run = 0; run < 2; run++) {
        const [squares] = await evaluate([{ shape: [length], values }], ([x]) => [sum(mul(x!, x!))], {
          reduce: style,
        });
        runs.push(squares![0]!);
      }
      expect(runs[1], style).toBe(runs[0]);
      expect(Math.abs(runs[0]! - exact) / exact, style).toBeLessThan(1e-6);
    }
    const rows = await planRows((graph) => {
      const x = graph.input('x', [length]);
      return [sum(mul(x, x))];
    });
    expect(rows.map(({ op }) => op)).toEqual(['reduce']);
  });

  test('merges operands that broadcast, in fours where they allow it', async () => {
    for (const [shape, other] of [
      [
        [6, 5, 8],
        [5, 8],
      ],
      [
        [6, 5, 8],
        [6, 1, 1],
      ],
      [
        [3, 2, 2],
        [2, 1],
      ],
    ] as const) {
      const size = other.reduce<number>((a, b) => a * b, 1);
      const inner = shape.slice(3 - other.length).reduce<number>((a, b) => a * b, 1);
      const repeat = inner / size;
      await checkOp({
        shapes: [shape, other],
        build: ([x, y]) => sum(mul(x!, y!), [0]),
        reference: ([x, y]) => {
          const product = x!.map((value, i) => value * y![Math.floor((i % inner) / repeat)]!);
          return reduceReference(shape, [0, 0], total)([product]);
        },
      });
    }
  });

  test('axes that are not neighbours are refused', () => {
    const x = new Graph().input('x', [2, 3, 4]);
    expect(() => sum(x, [0, 2])).toThrow(/neighbouring axes/);
    expect(() => sum(x, [3])).toThrow(ShapeError);
    expect(() => sum(x, [])).toThrow(ShapeError);
  });
});
