import { expect } from 'vitest';
import {
  elementCount,
  Graph,
  type Op,
  type Shape,
  type Tensor,
  type Variant,
} from '../../src/engine/graph/tensor.js';
import { Random } from '../../src/engine/random.js';
import { grad } from '../../src/kernels/common/grad.js';
import { mul } from '../../src/kernels/pointwise/pointwise-table.js';
import { sum } from '../../src/kernels/reduce/reduce.js';
import { reshape } from '../../src/kernels/shape/reshape.js';
import { evaluate, testDevice } from '../device.js';

/**
 * The check every op passes: forward against a float64 reference, and the gradient of Σ w·y (random w) against central
 * differences of that reference — once for each kernel variant that this device can run.
 */
export interface OpCheck {
  readonly shapes: readonly Shape[];
  /** Which operands are differentiated; all by default. */
  readonly differentiable?: readonly boolean[];
  /** Fills operand `k`; standard normal by default. Keep away from kinks, where central differences mean nothing. */
  readonly fill?: (random: Random, k: number) => number;
  readonly build: (inputs: Tensor[]) => Tensor;
  readonly reference: (inputs: Float64Array[]) => Float64Array;
  readonly seed?: number;
  /** Which variants are run; default: every one that this device can. Compiling all of them takes seconds in some families. */
  readonly preferences?: readonly Readonly<Record<string, string>>[];
  /** Relative to the largest magnitude of the compared tensor (forward) and gradient. */
  readonly tolerance?: number;
  /**
   * The least magnitude that a gradient's error is related to; 1e-3 by default. More where a small gradient is the
   * difference of larger terms, so that f32 can't know its last digits.
   */
  readonly leastGradient?: number;
}

export async function checkOp(check: OpCheck): Promise<void> {
  const random = new Random(check.seed ?? 1, 'check-op', ...check.shapes.flat());
  const operands = check.shapes.map((shape, k) => ({
    shape,
    values: Float32Array.from(
      { length: elementCount(shape) },
      () => check.fill?.(random, k) ?? random.normal(),
    ),
  }));
  const doubles = operands.map(({ values }) => Float64Array.from(values));
  const expected = check.reference(doubles);
  const weights = Float32Array.from({ length: expected.length }, () => random.normal());
  const differentiable = check.differentiable ?? check.shapes.map(() => true);
  const slopes = operands.map((operand, k) =>
    differentiable[k]
      ? centralDifferences(check.reference, doubles, k, weights, samples(random, operand.values.length))
      : [],
  );

  for (const preference of check.preferences ?? (await variantsUsed(check))) {
    let outputShape: Shape = [];
    const [y, ...gradients] = await evaluate(
      [...operands, { shape: [expected.length], values: weights }],
      (inputs) => {
        const own = inputs.slice(0, -1);
        const output = check.build(own);
        outputShape = output.shape;
        const weighted = sum(mul(output, reshape(inputs.at(-1)!, output.shape)));
        return [
          output,
          ...grad(
            weighted,
            own.filter((_, k) => differentiable[k]),
          ),
        ];
      },
      preference,
    );
    const label = JSON.stringify({ shapes: check.shapes, outputShape, preference });
    expectClose(y!, expected, check.tolerance ?? 1e-5, `forward ${label}`);
    let next = 0;
    for (const [k, slope] of slopes.entries()) {
      if (!differentiable[k]) continue;
      const gradient = gradients[next++]!;
      // Relative to the whole gradient: a sampled element alone may be a cancelled zero.
      const scale = Math.max(...gradient.map(Math.abs), check.leastGradient ?? 1e-3);
      for (const { index, value } of slope) {
        const error = Math.abs(gradient[index]! - value) / scale;
        expect(
          error,
          `gradient of operand ${k} at ${index}: ${gradient[index]} vs ${value} ${label}`,
        ).toBeLessThan((check.tolerance ?? 1e-5) * 10);
      }
    }
  }
}

/** Every element within `tolerance` of the largest expected magnitude. */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  label = '',
): void {
  expect(actual.length, `length, ${label}`).toBe(expected.length);
  let scale = 1e-6;
  for (let i = 0; i < expected.length; i++) scale = Math.max(scale, Math.abs(expected[i]!));
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i]! - expected[i]!) / scale;
    if (!(error <= tolerance))
      expect.fail(`element ${i}: ${actual[i]} vs ${expected[i]} (${error}), ${label}`);
  }
}

/**
 * Preferences that together use every runnable variant of every op that the forward and backward graphs contain (one of
 * each family): first the rule's choice, then one op forced to one variant at a time.
 */
export async function variantsUsed(
  check: Pick<OpCheck, 'shapes' | 'build' | 'differentiable'>,
): Promise<Record<string, string>[]> {
  const { traits } = await testDevice();
  const graph = new Graph();
  const inputs = check.shapes.map((shape, k) => graph.input(`x${k}`, shape));
  const output = check.build(inputs);
  grad(
    sum(output),
    inputs.filter((_, k) => check.differentiable?.[k] ?? true),
  );
  const byOp = new Map<string, { op: Op; runnable: Set<string> }>();
  for (const { op, attributes, inputs: own, outputs } of graph.nodes) {
    const problem = { inputs: own, outputs, attributes };
    const runs = op.variants.filter(
      (variant) => !variant.optIn && variant.unfit(problem, traits) === undefined,
    );
    // Of variants that differ only in parameters, the one that compiles fastest here: a family has tests of its own.
    const rank = (variant: Variant) => variant.rank(problem, { ...traits, kind: 'software' });
    const fit = runs
      .filter((variant) => {
        const members = runs.filter(({ family }) => family === variant.family);
        return variant.family === undefined || variant === members.toSorted((a, b) => rank(a) - rank(b))[0];
      })
      .map(({ name }) => name);
    const known = byOp.get(op.name);
    // A preference is by op name: only variants that fit every node of that op can be forced.
    byOp.set(op.name, {
      op,
      runnable: new Set(known ? fit.filter((name) => known.runnable.has(name)) : fit),
    });
  }
  const forced = [...byOp].flatMap(([name, { op, runnable }]) =>
    op.variants.length > 1 && name !== 'pointwise'
      ? [...runnable].map((variant) => ({ [name]: variant }))
      : [],
  );
  return [{}, ...forced];
}

function centralDifferences(
  reference: OpCheck['reference'],
  inputs: readonly Float64Array[],
  k: number,
  weights: Float32Array,
  indices: readonly number[],
): { index: number; value: number }[] {
  const step = 1e-5;
  const objective = (index: number, delta: number): number => {
    const moved = inputs.map((values, i) => (i === k ? Float64Array.from(values) : values));
    moved[k]![index]! += delta;
    return reference(moved).reduce((total, value, i) => total + value * weights[i]!, 0);
  };
  return indices.map((index) => ({
    index,
    value: (objective(index, step) - objective(index, -step)) / (2 * step),
  }));
}

function samples(random: Random, length: number): number[] {
  return length <= 8
    ? Array.from({ length }, (_, i) => i)
    : Array.from({ length: 8 }, () => random.int(length));
}
