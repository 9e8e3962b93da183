import { describe, expect, test } from 'vitest';
import { ShapeError } from '../../../src/engine/errors.js';
import { differentiate, type GradientArithmetic } from '../../../src/engine/graph/autograd.js';
import { applyOne, Graph, type Op, type Tensor } from '../../../src/engine/graph/tensor.js';
import { grad } from '../../../src/kernels/common/grad.js';
import { add, exp, fullLike, mul } from '../../../src/kernels/pointwise/pointwise-table.js';
import { sumTo } from '../../../src/kernels/reduce/reduce.js';
import { evaluate } from '../../device.js';
import { expectClose } from '../../kernels/check-op.js';

const arithmetic: GradientArithmetic = { add, sumTo, start: (tensor) => fullLike(tensor, 1) };

/** An op of the input's shape that only traces. */
function traced(name: string, vjp?: Op<undefined>['vjp']): Op<undefined> {
  return {
    name,
    infer: ([x]) => [{ shape: x?.shape ?? [], dtype: 'f32' }],
    flops: () => 0,
    variants: [],
    ...(vjp ? { vjp } : {}),
  };
}

const opaque = traced('opaque');

describe('differentiate', () => {
  test('adds what arrives on several ways', async () => {
    const values = Float32Array.from([-1, 0.5, 2]);
    const [slope] = await evaluate([{ shape: [3], values }], ([x]) => {
      const shared = mul(x!, x!);
      return grad(add(mul(shared, x!), add(shared, exp(x!))), [x!]);
    });
    expectClose(
      slope!,
      values.map((x) => 3 * x * x + 2 * x + Math.exp(x)),
      1e-6,
    );
  });

  test('goes twice: the second derivative of x³ is 6x, the third 6', async () => {
    const values = Float32Array.from([-2, 0.25, 3]);
    const [second, third] = await evaluate([{ shape: [3], values }], ([x]) => {
      const [first] = grad(mul(mul(x!, x!), x!), [x!]);
      const [second] = grad(first!, [x!]);
      return [second!, ...grad(second!, [x!])];
    });
    expectClose(
      second!,
      values.map((x) => 6 * x),
      1e-6,
    );
    expectClose(third!, [6, 6, 6], 1e-6);
  });

  test('differentiates by an intermediate value as well, a non-scalar as the sum of its elements', async () => {
    const values = Float32Array.from([1, 2]);
    const [byMiddle, byInput] = await evaluate([{ shape: [2], values }], ([x]) => {
      const middle = mul(x!, 3);
      return grad(mul(middle, middle), [middle, x!]);
    });
    expectClose(byMiddle!, [6, 12], 1e-6);
    expectClose(byInput!, [18, 36], 1e-6);
  });

  test('gives undefined where the loss does not depend, and zeros from grad()', async () => {
    const graph = new Graph();
    const [x, y] = [graph.input('x', [2]), graph.input('y', [2])];
    expect(differentiate(exp(x), [y], arithmetic)).toEqual([undefined]);
    const [slope] = await evaluate(
      [
        { shape: [2], values: Float32Array.of(1, 2) },
        { shape: [2], values: Float32Array.of(3, 4) },
      ],
      ([a, b]) => grad(exp(a!), [b!]),
    );
    expect([...slope!]).toEqual([0, 0]);
  });

  test('asks only ops on the way: one without a gradient may stand beside it', () => {
    const graph = new Graph();
    const x = graph.input('x', [2]);
    const beside = applyOne(opaque, [graph.input('z', [2])], undefined);
    const [slope] = differentiate(mul(exp(x), beside), [x], arithmetic);
    expect(slope?.shape).toEqual([2]);
  });

  test('names the op that has no gradient, with the scope it was traced in', () => {
    const graph = new Graph();
    const x = graph.input('x', [2]);
    const y = graph.scope('head', () => applyOne(opaque, [x], undefined));
    expect(() => differentiate(exp(y), [x], arithmetic)).toThrow(ShapeError);
    expect(() => differentiate(exp(y), [x], arithmetic)).toThrow(/head\.opaque: opaque has no gradient/);
  });

  test('refuses a gradient of another shape than its input', () => {
    const graph = new Graph();
    const x = graph.input('x', [2]);
    const wrong = traced('wrong', () => [graph.input('unrelated', [3])]);
    expect(() => differentiate(applyOne(wrong, [x], undefined), [x], arithmetic)).toThrow(
      /gradient of input 0 is \[3\], the input is \[2\]/,
    );
  });

  test('an op of several outputs hears only of those that reach the loss', () => {
    const graph = new Graph();
    const x = graph.input('x', [2]);
    const heard: (Tensor | undefined)[][] = [];
    const split: Op<undefined> = {
      ...traced('split', (_node, gradients) => {
        heard.push([...gradients]);
        return [gradients[1]];
      }),
      infer: ([input]) => Array.from({ length: 2 }, () => ({ shape: input?.shape ?? [], dtype: 'f32' })),
    };
    const [, second] = graph.apply(split, [x], undefined);
    differentiate(exp(second!), [x], arithmetic);
    expect(heard).toHaveLength(1);
    expect(heard[0]![0]).toBeUndefined();
    expect(heard[0]![1]?.shape).toEqual([2]);
  });

  test('a chain of thousands of ops', () => {
    const graph = new Graph();
    const x = graph.input('x', [1]);
    let y: Tensor = x;
    for (let i = 0; i < 5_000; i++) y = mul(y, 1.0001);
    const [slope] = differentiate(y, [x], arithmetic);
    expect(slope?.shape).toEqual([1]);
  });
});
