import { describe, expect, test } from 'vitest';
import { ShapeError } from '../../../src/engine/errors.js';
import { Graph } from '../../../src/engine/graph/tensor.js';
import { Random } from '../../../src/engine/random.js';
import { grad } from '../../../src/kernels/common/grad.js';
import { gather } from '../../../src/kernels/lookup/gather.js';
import { lookup } from '../../../src/kernels/lookup/lookup.js';
import { quickGelu, silu } from '../../../src/kernels/pointwise/activations.js';
import { where } from '../../../src/kernels/pointwise/where.js';
import { argmax } from '../../../src/kernels/reduce/argmax.js';
import { sum } from '../../../src/kernels/reduce/reduce.js';
import { evaluate } from '../../device.js';
import { checkOp } from '../check-op.js';

const numbers = (count: number, below: number, seed: number) => {
  const random = new Random(seed, 'numbers');
  return Uint32Array.from({ length: count }, () => random.int(below));
};

describe('lookup', () => {
  for (const width of [8, 5]) {
    test(`rows of ${width}, some taken often, most never`, () => {
      const ids = numbers(42, 9, width);
      return checkOp({
        shapes: [[40, width]],
        build: ([table]) => lookup(table!, table!.graph.constant(ids, [3, 14])),
        reference: ([table]) =>
          Float64Array.from(
            { length: 42 * width },
            (_, i) => table![ids[Math.floor(i / width)]! * width + (i % width)]!,
          ),
      });
    });
  }

  test('ids may be fed anew at each run', async () => {
    const [rows] = await evaluate(
      [
        { shape: [3, 4], values: Float32Array.from({ length: 12 }, (_, i) => i) },
        { shape: [2], values: Uint32Array.of(2, 0) },
      ],
      ([table, ids]) => [lookup(table!, ids!)],
    );
    expect([...rows!]).toEqual([8, 9, 10, 11, 0, 1, 2, 3]);
  });

  test('the gradient has the same bits twice', async () => {
    const ids = numbers(500, 3, 1);
    const run = () =>
      evaluate([{ shape: [3, 4], values: new Float32Array(12).fill(0.1) }], ([table]) => {
        const rows = lookup(table!, table!.graph.constant(ids, [500]));
        return grad(sum(silu(rows)), [table!]);
      });
    expect(await run()).toEqual(await run());
  });

  test('operands of other kinds are refused', () => {
    const graph = new Graph();
    const table = graph.input('table', [4, 2]);
    expect(() => lookup(table, graph.input('ids', [3]))).toThrow(ShapeError);
  });
});

describe('gather', () => {
  for (const [axis, shape, taken] of [
    [1, [3, 7, 5], 4],
    [0, [6, 2], 9],
    [2, [2, 3, 4], 1],
  ] as readonly (readonly [number, readonly number[], number])[]) {
    test(`${taken} along axis ${axis} of [${shape}]`, () => {
      const to = shape.map((size, d) => (d === axis ? taken : size));
      const count = to.reduce((a, b) => a * b);
      const index = numbers(count, shape[axis]!, axis + 5);
      const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
      return checkOp({
        shapes: [shape],
        build: ([x]) => gather(x!, axis, x!.graph.constant(index, to)),
        reference: ([x]) =>
          Float64Array.from({ length: count }, (_, i) => {
            const outer = Math.floor(i / (taken * inner));
            return x![(outer * shape[axis]! + index[i]!) * inner + (i % inner)]!;
          }),
      });
    });
  }
});

test('where chooses, and gradients go to what was chosen', () =>
  checkOp({
    shapes: [[4, 5], [4, 5], [5]],
    differentiable: [false, true, true],
    fill: (random, k) => (k === 0 ? random.int(2) : random.normal()),
    build: ([condition, a, b]) => where(condition!, a!, b!),
    reference: ([condition, a, b]) =>
      Float64Array.from(condition!, (c, i) => (c !== 0 ? a![i]! : b![i % 5]!)),
  }));

test('where takes numbers', async () => {
  const [y] = await evaluate([{ shape: [3], values: Float32Array.of(0, -2, 1) }], ([x]) => [
    where(x!, 7, x!),
  ]);
  expect([...y!]).toEqual([0, 7, 7]);
});

test('silu and quickGelu, with gradients', async () => {
  const gated =
    (rate: number) =>
    ([x]: Float64Array[]) =>
      x!.map((v) => v / (1 + Math.exp(-rate * v)));
  await checkOp({ shapes: [[3, 8]], build: ([x]) => silu(x!), reference: gated(1) });
  await checkOp({ shapes: [[3, 7]], build: ([x]) => quickGelu(x!), reference: gated(1.702) });
});

describe('argmax', () => {
  test('of floats: the first of the largest', async () => {
    const [y] = await evaluate(
      [{ shape: [3, 4], values: Float32Array.of(1, 5, 5, 2, -3, -1, -2, -1, 0, 0, 0, 0) }],
      ([x]) => [argmax(x!)],
    );
    expect([...new Uint32Array(y!.buffer, y!.byteOffset, 3)]).toEqual([1, 1, 0]);
  });

  test('of token numbers: where a text ends', async () => {
    const [y] = await evaluate(
      [{ shape: [2, 5], values: Uint32Array.of(49406, 320, 49407, 0, 0, 49406, 1, 2, 3, 49407) }],
      ([x]) => [argmax(x!)],
    );
    expect([...new Uint32Array(y!.buffer, y!.byteOffset, 2)]).toEqual([2, 4]);
  });
});
