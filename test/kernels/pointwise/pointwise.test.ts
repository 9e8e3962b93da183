import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ShapeError } from '../../../src/engine/errors.js';
import { elementCount, Graph, type Shape } from '../../../src/engine/graph/tensor.js';
import { Random } from '../../../src/engine/random.js';
import { grad } from '../../../src/kernels/common/grad.js';
import { pointwise } from '../../../src/kernels/pointwise/pointwise.js';
import {
  add,
  broadcastTo,
  dropout,
  mul,
  pointwiseFunctions,
  sub,
} from '../../../src/kernels/pointwise/pointwise-table.js';
import { sum } from '../../../src/kernels/reduce/reduce.js';
import { reshape } from '../../../src/kernels/shape/reshape.js';
import { evaluate, planRows } from '../../device.js';
import { checkOp, expectClose } from '../check-op.js';

/** erf in float64 by its Maclaurin series, and by 1 beyond ±6. */
function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let total = x;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(total); n++) {
    term *= (-x * x) / n;
    total += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * total;
}

const cumulative = (x: number) => 0.5 * (1 + erf(x * Math.SQRT1_2));
const density = (x: number) => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);

interface Expected {
  readonly value: (a: number, b: number) => number;
  readonly operands?: 2;
  readonly parameter?: number;
  /** Only positive operands make sense. */
  readonly positive?: true;
  /** The gradient is zero or not wanted. */
  readonly flat?: true;
}

/** What each function of the table is, in float64. */
const expected: Readonly<Record<string, Expected>> = {
  neg: { value: (x) => -x },
  relu: { value: (x) => Math.max(x, 0) },
  sigmoid: { value: (x) => 1 / (1 + Math.exp(-x)) },
  tanh: { value: Math.tanh },
  gelu: { value: (x) => x * cumulative(x) },
  geluSlope: { value: (x) => cumulative(x) + x * density(x) },
  softplus: { value: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))) },
  square: { value: (x) => x * x },
  exp: { value: Math.exp },
  log: { value: Math.log, positive: true },
  sqrt: { value: Math.sqrt, positive: true },
  rsqrt: { value: (x) => 1 / Math.sqrt(x), positive: true },
  abs: { value: Math.abs },
  sign: { value: Math.sign, flat: true },
  add: { value: (a, b) => a + b, operands: 2 },
  sub: { value: (a, b) => a - b, operands: 2 },
  mul: { value: (a, b) => a * b, operands: 2 },
  div: { value: (a, b) => a / b, operands: 2, positive: true },
  maximum: { value: Math.max, operands: 2 },
  minimum: { value: Math.min, operands: 2 },
  greater: { value: (a, b) => Number(a > b), operands: 2, flat: true },
  broadcast: { value: (x) => x },
  addScalar: { value: (x) => x + 0.75, parameter: 0.75 },
  mulScalar: { value: (x) => x * -1.25, parameter: -1.25 },
  rsubScalar: { value: (x) => 2.5 - x, parameter: 2.5 },
  greaterScalar: { value: (x) => Number(x > 0.5), parameter: 0.5, flat: true },
};

const names = Object.keys(expected);
const POINTS = [-80, -20, -6, -1, -0.3, -1e-3, -1e-30, 0, 1e-30, 1e-3, 0.3, 1, 3, 6, 20, 80];

describe('the pointwise table', () => {
  test('has no function without a reference here', () => {
    expect([...names, 'dropout'].sort()).toEqual(Object.keys(pointwiseFunctions).sort());
  });

  test.each(names)('%s equals float64 from ±80 down to ±1e-30, in fours and one by one', async (name) => {
    const { value, operands = 1, parameter, positive } = expected[name]!;
    const points = positive ? POINTS.filter((x) => x > 0) : POINTS;
    const pairs = operands === 2 ? points.flatMap((a) => points.map((b) => [a, b])) : points.map((a) => [a]);
    const inputs = Array.from({ length: operands }, (_, k) => ({
      shape: [pairs.length],
      values: Float32Array.from(pairs, (pair) => pair[k]!),
    }));
    for (const variant of ['vec4', 'scalar']) {
      const [actual] = await evaluate(
        inputs,
        ([a, ...rest]) => [
          pointwise(pointwiseFunctions[name]!, [a!, ...rest], parameter === undefined ? [] : [parameter]),
        ],
        { pointwise: variant },
      );
      for (let i = 0; i < pairs.length; i++) {
        const [a, b] = inputs.map(({ values }) => values[i]!);
        const exact = value(a!, b ?? 0);
        const error = Math.abs(actual![i]! - exact);
        expect(error, `${name}(${a}, ${b}) = ${actual![i]}, not ${exact}, ${variant}`).toBeLessThanOrEqual(
          1e-5 * Math.abs(exact) + 1.5e-6,
        );
      }
    }
  });

  test.each(names.filter((name) => !expected[name]!.flat))('the gradient of %s', async (name) => {
    const { value, operands = 1, parameter, positive } = expected[name]!;
    await checkOp({
      shapes: Array.from({ length: operands }, () => [13]),
      build: ([a, ...rest]) =>
        pointwise(pointwiseFunctions[name]!, [a!, ...rest], parameter === undefined ? [] : [parameter]),
      reference: ([a, b]) => a!.map((x, i) => value(x, b?.[i] ?? 0)),
      // Away from the kinks at zero and at equality.
      fill: (random) => (positive ? 0.2 : 0.1 * Math.sign(random.normal())) + Math.abs(random.normal()),
    });
  });

  test('saturated functions have a gradient of zero or one, never NaN', async () => {
    const values = Float32Array.from([-80, -40, 40, 80]);
    for (const name of ['sigmoid', 'tanh', 'gelu', 'softplus', 'relu']) {
      const [slope] = await evaluate([{ shape: [4], values }], ([x]) =>
        grad(sum(pointwise(pointwiseFunctions[name]!, [x!])), [x!]),
      );
      const limit = name === 'sigmoid' || name === 'tanh' ? 0 : 1;
      for (const [i, end] of [0, 0, limit, limit].entries()) expect(slope![i]).toBeCloseTo(end, 6);
    }
  });

  test('an operand that is both arguments gets both gradients', async () => {
    await checkOp({
      shapes: [[5]],
      build: ([x]) => mul(x!, x!),
      reference: ([x]) => x!.map((value) => value * value),
    });
    await checkOp({
      shapes: [[5]],
      build: ([x]) => sub(x!, mul(x!, 0.5)),
      reference: ([x]) => x!.map((value) => value / 2),
    });
  });
});

describe('broadcasting', () => {
  /** A shape that broadcasts to `shape`: leading axes dropped, some of the others one. */
  const narrowed = (shape: Shape) =>
    fc
      .tuple(fc.nat(shape.length - 1), fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }))
      .map(([drop, ones]) => shape.slice(drop).map((size, d) => (ones[d] ? 1 : size)));
  const cases = fc
    .array(fc.constantFrom(1, 2, 3, 4, 8), { minLength: 1, maxLength: 4 })
    .chain((shape) => fc.tuple(fc.constant(shape), narrowed(shape), narrowed(shape), fc.nat(1000)));

  function spread(x: Float64Array, from: Shape, to: Shape): Float64Array {
    return Float64Array.from({ length: elementCount(to) }, (_, i) => {
      let rest = i;
      let index = 0;
      let stride = 1;
      for (let d = 1; d <= to.length; d++) {
        const coordinate = rest % to.at(-d)!;
        rest = Math.floor(rest / to.at(-d)!);
        const own = from.at(-d) ?? 1;
        if (d <= from.length && own !== 1) index += coordinate * stride;
        if (d <= from.length) stride *= own;
      }
      return x[index]!;
    });
  }

  test('three operands of any shapes that fit, with gradients summed back', async () => {
    await fc.assert(
      fc.asyncProperty(cases, ([shape, b, c, seed]) =>
        checkOp({
          shapes: [shape, b, c],
          build: ([x, y, z]) => add(mul(x!, y!), z!),
          reference: ([x, y, z]) => {
            const [wideB, wideC] = [spread(y!, b, shape), spread(z!, c, shape)];
            return x!.map((value, i) => value * wideB[i]! + wideC[i]!);
          },
          seed,
        }),
      ),
      { numRuns: 10 },
    );
  });

  test.each([
    { what: 'a value a row and a row for all (layer norm)', b: [3, 7, 5, 1], last: true },
    { what: 'a value a sample (a mask) and a row for all', b: [3, 1, 1, 1], last: true },
    { what: 'a row a sample (a gate) and a row for all', b: [3, 1, 1, -1], last: true },
    { what: 'a row a line in the middle', b: [7, 1, -1], last: false },
  ])('walked down the columns, in fours and one by one: $what', async ({ b, last }) => {
    for (const channels of [8, 5]) {
      const shape = [3, 7, 5, channels];
      const shapes = [shape, b.map((size) => (size === -1 ? channels : size)), last ? [channels] : [1]];
      const random = new Random(9, ...shape);
      const operands = shapes.map((own) => ({
        shape: own,
        values: Float32Array.from({ length: elementCount(own) }, () => random.normal()),
      }));
      const [x, y, z] = operands.map((operand) =>
        spread(Float64Array.from(operand.values), operand.shape, shape),
      );
      const expected = x!.map((value, i) => value * y![i]! + z![i]!);
      for (const variant of channels % 4 === 0 ? ['columns', 'vec4', 'scalar'] : ['columns', 'scalar']) {
        const [actual] = await evaluate(operands, ([u, v, w]) => [add(mul(u!, v!), w!)], {
          pointwise: variant,
        });
        expectClose(actual!, expected, 1e-6, variant);
      }
    }
  });

  test('one row for all rows and a scalar, merged with a dropout: the same in every variant', async () => {
    for (const [rows, columns] of [
      [35, 8],
      [33, 5],
      [1000, 4],
    ] as const) {
      const random = new Random(6, rows);
      const operand = (...shape: number[]) => ({
        shape,
        values: Float32Array.from({ length: elementCount(shape) }, () => random.normal()),
      });
      const operands = [operand(rows, columns), operand(columns), operand(1)];
      const [x, bias, scale] = operands.map(({ values }) => values);
      const seed = { shape: [2], values: Uint32Array.of(3, 4) };
      const results = [];
      for (const variant of columns % 4 === 0 ? ['columns', 'vec4', 'scalar'] : ['columns', 'scalar']) {
        const [plain, dropped] = await evaluate(
          [...operands, seed],
          ([a, b, c, words]) => {
            const sums = () => mul(add(a!, b!), c!);
            return [sums(), dropout(sums(), words!, { p: 0.5, stream: 1 })];
          },
          { pointwise: variant },
        );
        expectClose(
          plain!,
          x!.map((value, i) => (value + bias![i % columns]!) * scale![0]!),
          1e-6,
          variant,
        );
        results.push(dropped!);
      }
      for (const result of results.slice(1)) expectClose(result, results[0]!, 1e-6);
      const zeros = results[0]!.filter((value) => value === 0).length / (rows * columns);
      expect(Math.abs(zeros - 0.5)).toBeLessThan(4.5 * Math.sqrt(0.25 / (rows * columns)));
    }
  });

  test('broadcastTo repeats, and its gradient sums', async () => {
    for (const [from, to] of [
      [[1], [3, 5]],
      [
        [4, 1],
        [2, 4, 8],
      ],
      [
        [2, 1, 3],
        [2, 6, 3],
      ],
    ] as const) {
      await checkOp({
        shapes: [from],
        build: ([x]) => broadcastTo(x!, to),
        reference: ([x]) => spread(x!, from, to),
      });
    }
  });

  test('shapes that do not fit are refused while tracing', () => {
    const graph = new Graph();
    expect(() => add(graph.input('a', [2, 3]), graph.input('b', [2, 4]))).toThrow(/do not broadcast/);
  });
});

describe('reshape', () => {
  test('changes no byte and runs no kernel', async () => {
    await checkOp({
      shapes: [[2, 6]],
      build: ([x]) => mul(reshape(x!, [3, -1]), 2),
      reference: ([x]) => x!.map((value) => value * 2),
    });
    const rows = await planRows((graph) => [reshape(mul(graph.input('x', [2, 6]), 2), [12])]);
    expect(rows.map(({ op }) => op)).toEqual(['pointwise']);
  });

  test('refuses another number of elements', () => {
    const x = new Graph().input('x', [2, 6]);
    expect(() => reshape(x, [5])).toThrow(ShapeError);
    expect(() => reshape(x, [-1, -1])).toThrow(/more than one -1/);
    expect(() => reshape(x, [5, -1])).toThrow(ShapeError);
  });
});

describe('large tensors', () => {
  test('more workgroups than one dimension holds, and several elements a lane', async () => {
    // 65,535 workgroups of 64 lanes hold 4.2 million scalars.
    const length = 4_200_003;
    const random = new Random(2);
    const values = Float32Array.from({ length }, () => random.uint32() / 2 ** 32);
    const [y] = await evaluate([{ shape: [length], values }], ([x]) => [mul(x!, 2)], { pointwise: 'scalar' });
    expectClose(
      y!,
      values.map((value) => value * 2),
      1e-7,
    );
  });
});
