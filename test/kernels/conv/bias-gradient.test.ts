import { describe, expect, test } from 'vitest';
import { compile } from '../../../src/engine/compile.js';
import { Graph, type Shape, type Tensor } from '../../../src/engine/graph/tensor.js';
import { grad } from '../../../src/kernels/common/grad.js';
import { conv2d, matmul } from '../../../src/kernels/conv/conv.js';
import { type ConvOptions, convGeometry } from '../../../src/kernels/conv/conv-geometry.js';
import { add, gelu, mul } from '../../../src/kernels/pointwise/pointwise-table.js';
import { sum } from '../../../src/kernels/reduce/reduce.js';
import { reshape } from '../../../src/kernels/shape/reshape.js';
import { planRows, testDevice } from '../../device.js';
import { checkOp } from '../check-op.js';
import { convReference } from './conv-reference.js';

/** The gradients of weights and bias, which one node gives: of an image [n, h, w, c] and weights [kh, kw, c / groups, o]. */
interface Case extends ConvOptions {
  readonly x: Shape;
  readonly w: Shape;
}

const OP = 'conv2dWeightBiasGradient';

/** By each of these variants that this device runs. @returns how many those were */
async function check({ x, w, ...options }: Case, names: readonly string[]): Promise<number> {
  const convolution = convReference(convGeometry(x, w, options));
  const channels = w.at(-1)!;
  const runnable = await runnableOf({ x, w, ...options });
  const variants = names.filter((name) => runnable.has(name));
  await checkOp({
    shapes: [x, w, [channels]],
    build: ([image, weights, bias]) => add(conv2d(image!, weights!, options), bias!),
    reference: ([image, weights, bias]) =>
      convolution([image!, weights!]).map((value, at) => value + bias![at % channels]!),
    differentiable: [false, true, true],
    preferences: variants.map((name) => ({ [OP]: name })),
  });
  return variants.length;
}

/** Those of the weight gradient. */
async function runnableOf({ x, w, ...options }: Case): Promise<ReadonlySet<string>> {
  const { traits } = await testDevice();
  const graph = new Graph();
  const weights = graph.input('w', w);
  grad(sum(conv2d(graph.input('x', x), weights, options)), [weights]);
  const { op, ...problem } = graph.nodes.find((node) => node.op.name === 'conv2dWeightGradient')!;
  return new Set(
    op.variants.filter(({ unfit }) => unfit(problem, traits) === undefined).map(({ name }) => name),
  );
}

const GROUPED = ['rollingTexels', 'rollingChannels', 'window'];
const ROLLING = ['rollingTexels', 'rollingChannels'];

describe('gradients of weights and bias in one node', () => {
  const cases: Record<string, [Case, readonly string[]]> = {
    '3×3': [{ x: [2, 6, 5, 8], w: [3, 3, 8, 12], padding: 1 }, ['lanes', 'tile32x32x32of4x4', 'direct']],
    '1×1': [{ x: [3, 6, 5, 8], w: [1, 1, 8, 20] }, ['lanes', 'tileSubgroup']],
    'patches, as of a stem': [
      { x: [2, 8, 8, 3], w: [4, 4, 3, 16], stride: 4 },
      ['tile32x32x32of4x4', 'lanes'],
    ],
    'groups of four': [{ x: [2, 6, 5, 16], w: [3, 3, 4, 16], padding: 1, groups: 4 }, GROUPED],
    'depthwise 7×7': [{ x: [3, 9, 10, 12], w: [7, 7, 1, 12], padding: 3, groups: 12 }, ROLLING],
    'depthwise, stride 2': [{ x: [2, 9, 12, 8], w: [3, 3, 1, 8], padding: 1, stride: 2, groups: 8 }, ROLLING],
    'depthwise, rows of dy that meet no image': [
      { x: [1, 4, 5, 4], w: [3, 3, 1, 4], padding: [1, 6, 1, 5], groups: 4 },
      ROLLING,
    ],
    'depthwise, rows cut into shares': [
      { x: [1, 40, 6, 4], w: [3, 3, 1, 4], padding: 1, groups: 4 },
      ROLLING,
    ],
  };
  test.for(Object.entries(cases))('%s', async ([, [sizes, variants]]) => {
    expect(await check(sizes, variants)).toBeGreaterThan(0);
  });

  // One whose lanes stage both operands in a round, one with two slices, and one with more columns than rows.
  const members = ['tile64x32x16of8x4', 'tile64x64x16of8x8twice', 'tile32x64x16of4x8'];
  test.for(members)('channels that fill no tile, by %s', async (name) => {
    await check({ x: [2, 5, 7, 36], w: [1, 1, 36, 68] }, [name]);
  });

  test('channels that do not go in fours', async ({ skip }) => {
    const { traits } = await testDevice();
    skip(traits.adapter === 'swiftshader', "SwiftShader's compiler takes minutes for it");
    await check({ x: [2, 5, 7, 5], w: [1, 1, 5, 14] }, ['tile32x32x32of4x4']);
  });

  test('a depth that is cut into shares', async () => {
    const { traits } = await testDevice();
    const { residentGroups } = traits;
    // Only the number of shares depends on it.
    Object.assign(traits, { residentGroups: 256 });
    try {
      await check({ x: [8, 16, 16, 4], w: [1, 1, 4, 8] }, ['tile32x32x32of4x4']);
      await check({ x: [8, 16, 16, 4], w: [3, 3, 1, 4], padding: 1, groups: 4 }, ['rollingChannels']);
    } finally {
      Object.assign(traits, { residentGroups });
    }
  });
});

describe('the nodes of a step', () => {
  const gradientsOf = (y: Tensor, wrt: readonly Tensor[]) => grad(sum(mul(y, y)), wrt);
  const opsOf = async (build: (graph: Graph) => readonly Tensor[]) =>
    (await planRows(build)).map(({ op }) => op);

  test('a linear layer on tokens has one for both gradients', async () => {
    const ops = await opsOf((graph) => {
      const [x, w, b] = [graph.input('x', [2, 3, 8]), graph.input('w', [8, 12]), graph.input('b', [12])];
      const y = gelu(add(reshape(matmul(reshape(x, [6, 8]), w), [2, 3, 12]), b));
      return gradientsOf(y, [x, w, b]);
    });
    expect(ops).toContain(OP);
    expect(ops).not.toContain('conv2dWeightGradient');
  });

  test('a bias that alone is trained has a sum', async () => {
    const ops = await opsOf((graph) => {
      const [x, w, b] = [graph.input('x', [6, 8]), graph.input('w', [8, 12]), graph.input('b', [12])];
      return gradientsOf(add(matmul(x, w), b), [b]);
    });
    expect(ops).toContain('reduce');
    expect(ops).not.toContain(OP);
  });

  test('the same bits at every run', async () => {
    const device = await testDevice();
    const graph = new Graph();
    const [x, w, b] = [graph.input('x', [512, 36]), graph.input('w', [36, 20]), graph.input('b', [20])];
    const outputs = gradientsOf(add(matmul(x, w), b), [w, b]);
    const program = await compile(device, { graph, outputs });
    const values = (count: number, seed: number) =>
      Float32Array.from({ length: count }, (_, i) => Math.sin(i * 12.9898 + seed));
    const runs: Float32Array[][] = [];
    for (let run = 0; run < 3; run++) {
      program.run({ x: values(512 * 36, 1), w: values(36 * 20, 2), b: values(20, 3) });
      runs.push([await program.read(outputs[0]!), await program.read(outputs[1]!)]);
    }
    program.destroy();
    expect(runs[1]).toEqual(runs[0]);
    expect(runs[2]).toEqual(runs[0]);
  });
});
