import { describe, expect, it } from 'vitest';
import { planProgram } from '../../../src/engine/compile.js';
import { elementCount, Graph, type Shape, type Tensor } from '../../../src/engine/graph/tensor.js';
import { Random } from '../../../src/engine/random.js';
import { grad } from '../../../src/kernels/common/grad.js';
import { conv2d, matmul } from '../../../src/kernels/conv/conv.js';
import { batchNorm } from '../../../src/kernels/norm/batch-norm.js';
import { layerNorm } from '../../../src/kernels/norm/layer-norm.js';
import { add, gelu, mul } from '../../../src/kernels/pointwise/pointwise-table.js';
import { bmm } from '../../../src/kernels/product/bmm.js';
import { sum } from '../../../src/kernels/reduce/reduce.js';
import { softmax } from '../../../src/kernels/reduce/softmax.js';
import { averagePool2d, globalAveragePool, maxPool2d } from '../../../src/kernels/shape/pool.js';
import { evaluate, testDevice } from '../../device.js';
import { expectClose, variantsUsed } from '../check-op.js';

/**
 * Kernels over f16 storage. What they compute is held against float64 in the tests of their families, over f32; here the
 * same graph over f16 must stay within the rounding of its operands and results, in every variant.
 */
const device = await testDevice();
const { traits, description } = device;

interface HalfCase {
  readonly name: string;
  readonly shapes: readonly Shape[];
  readonly build: (operands: Tensor[]) => Tensor;
  /** Ops and the storage of their inputs and outputs, as the compiled program has them. */
  readonly expected: Readonly<Record<string, string>>;
}

const conv = (name: string, x: Shape, w: Shape, options: Parameters<typeof conv2d>[2]): HalfCase => ({
  name,
  shapes: [x, w],
  build: ([a, b]) => conv2d(a!, b!, options),
  expected: {
    conv2d: 'f16 f16 → f16',
    conv2dInputGradient: 'f16 f16 → f16',
    conv2dWeightGradient: 'f16 f16 → f32',
  },
});

const cases: readonly HalfCase[] = [
  {
    name: 'pointwise in fours, with a row',
    shapes: [[2, 9, 15, 20], [20]],
    build: ([x, bias]) => gelu(add(x!, bias!)),
    expected: { pointwise: 'f16 f32 → f16' },
  },
  {
    name: 'pointwise one by one, with a column',
    shapes: [
      [3, 15, 15, 7],
      [3, 15, 15, 1],
    ],
    build: ([x, y]) => mul(x!, y!),
    expected: { pointwise: 'f16 f32 → f16' },
  },
  conv('3×3', [2, 13, 15, 20], [3, 3, 20, 24], { padding: 1 }),
  conv('3×3 into two panels, stride 2', [2, 11, 16, 64], [3, 3, 64, 96], { padding: 1, stride: 2 }),
  conv('odd channels', [2, 13, 15, 11], [3, 3, 11, 43], { padding: 1 }),
  conv('1×1 over rows that copy as they are', [4, 8, 8, 64], [1, 1, 64, 64], {}),
  conv('depthwise 7×7', [2, 12, 13, 96], [7, 7, 1, 96], { padding: 3, groups: 96 }),
  conv('narrow groups', [2, 12, 13, 128], [3, 3, 4, 128], { padding: 1, groups: 32 }),
  conv('wide groups', [2, 9, 9, 64], [3, 3, 32, 64], { padding: 1, groups: 2 }),
  {
    name: 'matrix product',
    shapes: [
      [67, 68],
      [68, 64],
    ],
    build: ([a, b]) => matmul(a!, b!),
    expected: {
      conv2d: 'f16 f16 → f16',
      conv2dInputGradient: 'f16 f16 → f16',
      conv2dWeightGradient: 'f16 f16 → f32',
    },
  },
  {
    name: 'linear layer',
    shapes: [[67, 68], [68, 64], [64]],
    build: ([a, b, bias]) => add(matmul(a!, b!), bias!),
    expected: { conv2d: 'f16 f16 f32 → f16', conv2dWeightBiasGradient: 'f16 f16 → f32 f32' },
  },
  {
    name: 'batched matrix product',
    shapes: [
      [4, 30, 64],
      [4, 64, 36],
    ],
    build: ([a, b]) => bmm(a!, b!),
    expected: { bmm: 'f16 f16 → f16' },
  },
  {
    name: 'batch norm',
    shapes: [[3, 9, 9, 24], [24], [24]],
    build: ([x, gamma, beta]) => batchNorm(x!, gamma!, beta!, { epsilon: 1e-5 }).y,
    expected: { moments: 'f16 → f32 f32 f32', normalizedSums: 'f16 f16 f32 f32 → f32 f32' },
  },
  {
    name: 'layer norm over an odd axis',
    shapes: [[3, 9, 9, 23], [23], [23]],
    build: ([x, gamma, beta]) => layerNorm(x!, gamma!, beta!, { epsilon: 1e-6 }),
    expected: {
      layerNorm: 'f16 f32 f32 → f16 f32 f32',
      layerNormSlope: 'f16 f16 f32 f32 f32 → f16',
      normalizedSums: 'f16 f16 f32 f32 → f32 f32',
    },
  },
  {
    name: 'softmax',
    shapes: [[130, 36]],
    build: ([x]) => softmax(x!),
    expected: { exponentialSum: 'f16 → f32 f32' },
  },
  {
    name: 'maximum pooling in fours',
    shapes: [[3, 13, 15, 32]],
    build: ([x]) => maxPool2d(x!, { kernel: 3, stride: 2, padding: 1 }),
    expected: { maxPool2d: 'f16 → f16 u32', maxPool2dGradient: 'f16 u32 → f16' },
  },
  {
    name: 'maximum pooling one by one',
    shapes: [[3, 13, 15, 31]],
    build: ([x]) => maxPool2d(x!, { kernel: 3, stride: 2, padding: 1 }),
    expected: { maxPool2d: 'f16 → f16 u32', maxPool2dGradient: 'f16 u32 → f16' },
  },
  {
    name: 'average pooling',
    shapes: [[3, 13, 15, 32]],
    build: ([x]) => averagePool2d(x!, { kernel: 3, stride: 2, padding: 1, countIncludePad: false }),
    expected: { averagePool2d: 'f16 → f16', averagePool2dGradient: 'f16 → f16' },
  },
  {
    name: 'global average',
    shapes: [[3, 13, 15, 24]],
    build: ([x]) => globalAveragePool(x!),
    expected: { reduce: 'f16 → f32' },
  },
];

/** Operands and result used twice each, so that the op under test merges with nothing on either side. */
function apart(tensor: Tensor): { value: Tensor; other: Tensor } {
  const value = mul(tensor, 1);
  return { value, other: sum(value) };
}

function trace({ build }: HalfCase, inputs: readonly Tensor[], weights: Tensor): Tensor[] {
  const operands = inputs.map(apart);
  const result = build(operands.map(({ value }) => value));
  const slope = apart(weights);
  const gradients = grad(
    result,
    operands.map(({ value }) => value),
    slope.value,
  );
  const results = [result, ...gradients.filter((gradient) => gradient !== undefined)];
  return [
    ...results.map((tensor) => mul(tensor, 1)),
    ...results.map((tensor) => sum(tensor)),
    ...operands.map(({ other }) => other),
    slope.other,
  ];
}

describe.skipIf(!traits.f16)(`f16 storage (${description}; needs shader-f16)`, () => {
  it.each(cases)('$name', { timeout: 120_000 }, async (half) => {
    const random = new Random(1, 'half', half.name);
    const values = (shape: Shape) => ({
      shape,
      // Exact in f16, so that equal elements of a maximum are equal in both.
      values: Float32Array.from(
        { length: elementCount(shape) },
        () => Math.round(random.normal() * 256) / 256,
      ),
    });
    const sketch = new Graph();
    const { shape: resultShape } = half.build(half.shapes.map((shape, k) => sketch.input(`${k}`, shape)));
    const operands = [...half.shapes, resultShape].map(values);
    const traced = (inputs: Tensor[]) => trace(half, inputs.slice(0, -1), inputs.at(-1)!);

    const exact = await evaluate(operands, traced);
    const compared = 1 + half.shapes.length;
    for (const preference of [...together(await variantsUsed(half)), { pointwise: 'scalar' }]) {
      const stored = storageOf(operands, traced, preference);
      for (const [op, storage] of Object.entries(half.expected)) expect(stored.get(op)).toContain(storage);
      const narrowed = await evaluate(operands, traced, preference, { copies: {} });
      for (let k = 0; k < compared; k++) {
        expectClose(narrowed[k]!, exact[k]!, 2e-3, `result ${k} ${JSON.stringify(preference)}`);
      }
    }
  });

  /** Few preferences that use each variant as well: the first of every op, the second of every op… */
  function together(preferences: readonly Record<string, string>[]): Record<string, string>[] {
    const byOp = new Map<string, string[]>();
    for (const preference of preferences) {
      for (const [op, variant] of Object.entries(preference)) {
        byOp.set(op, [...(byOp.get(op) ?? []), variant]);
      }
    }
    const most = Math.max(1, ...[...byOp.values()].map(({ length }) => length));
    return Array.from({ length: most }, (_, k) =>
      Object.fromEntries([...byOp].map(([op, variants]) => [op, variants[k % variants.length]!])),
    );
  }

  /** By op name, the storage of each of its applications. */
  function storageOf(
    operands: readonly { shape: Shape }[],
    traced: (inputs: Tensor[]) => Tensor[],
    preference: Readonly<Record<string, string>>,
  ): Map<string, string[]> {
    const graph = new Graph();
    const outputs = traced(operands.map(({ shape }, k) => graph.input(`x${k}`, shape)));
    const plan = planProgram(device, { graph, outputs, preference, halves: { copies: {} } });
    const stored = new Map<string, string[]>();
    for (const action of plan.actions) {
      if (action.kind !== 'kernel') continue;
      const { op, inputs, outputs: results } = action.chosen.node;
      const spell = (tensors: readonly Tensor[]) => tensors.map(({ dtype }) => dtype).join(' ');
      stored.set(op.name, [...(stored.get(op.name) ?? []), `${spell(inputs)} → ${spell(results)}`]);
    }
    return stored;
  }
});
