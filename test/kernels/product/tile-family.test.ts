import { describe, expect, test } from 'vitest';
import { choose } from '../../../src/engine/choose/choose.js';
import { Graph } from '../../../src/engine/graph/tensor.js';
import { conv2d, matmul } from '../../../src/kernels/conv/conv.js';
import { type ConvOptions, convGeometry } from '../../../src/kernels/conv/conv-geometry.js';
import { add, relu } from '../../../src/kernels/pointwise/pointwise-table.js';
import { tileFamily } from '../../../src/kernels/product/tile-family.js';
import { testDevice } from '../../device.js';
import { RDNA3 } from '../../gpus.js';
import { checkOp } from '../check-op.js';
import { convReference } from '../conv/conv-reference.js';

/** All three directions by one member of the family. */
const forced = (name: string) => [{ conv2d: name, conv2dInputGradient: name, conv2dWeightGradient: name }];

/** a·b in float64. */
const productOf =
  (m: number, k: number, n: number) =>
  ([a, b]: readonly Float64Array[]) =>
    Float64Array.from({ length: m * n }, (_, at) => {
      let total = 0;
      for (let q = 0; q < k; q++) total += a![Math.floor(at / n) * k + q]! * b![q * n + (at % n)]!;
      return total;
    });

const members = tileFamily.map(({ name, shape }) => ({ name, ...shape(RDNA3) }));

describe.each(members)('$name', ({ name, rows, columns, slice }) => {
  const product = (m: number, k: number, n: number) =>
    checkOp({
      shapes: [
        [m, k],
        [k, n],
      ],
      build: ([a, b]) => matmul(a!, b!),
      reference: productOf(m, k, n),
      preferences: forced(name),
    });

  // The gradients see the sizes in other places: rows as depth, depth as columns. All of these are one kernel a direction.
  test('around the edges of a tile', async () => {
    await product(rows - 4, slice - 4, columns + 4);
    await product(rows + 4, slice + 4, columns - 4);
    await product(4, 2 * slice + 4, 2 * columns + 4);
  });
});

/** How operands are read and rows are scattered is common to the family: the one whose lanes stage both in a round. */
describe('tile128x128x16of8x8', () => {
  const cases: Record<string, { x: number[]; w: number[] } & ConvOptions> = {
    'whole slices of channels': { x: [2, 5, 4, 32], w: [3, 3, 32, 16], padding: 1 },
    'nothing in fours': { x: [1, 6, 7, 3], w: [3, 2, 3, 5], padding: 1 },
    'a stride, dilation, channels in fours': {
      x: [1, 11, 9, 12],
      w: [3, 2, 12, 20],
      padding: 1,
      stride: [2, 3],
      dilation: [1, 2],
    },
    'a stride, whole slices of channels': { x: [2, 6, 7, 16], w: [3, 3, 16, 48], padding: 1, stride: 2 },
    'pixels that no tap meets': { x: [2, 6, 5, 4], w: [1, 1, 4, 32], stride: 2 },
  };
  test.for(Object.entries(cases))('%s', async ([, { x, w, ...options }], { skip }) => {
    const { traits } = await testDevice();
    skip(traits.adapter === 'swiftshader' && x[3]! % 4 !== 0, "SwiftShader's compiler takes minutes for it");
    await checkOp({
      shapes: [x, w],
      build: ([image, weights]) => conv2d(image!, weights!, options),
      reference: convReference(convGeometry(x, w, options)),
      preferences: forced('tile128x128x16of8x8'),
    });
  });
});

/** What a GPU runs; a software adapter's compiler takes ten seconds for the large ones. */
test('with the inner loop written out', async () => {
  const { traits } = await testDevice();
  const { adapter } = traits;
  Object.assign(traits, { adapter: 'gpu' });
  try {
    await checkOp({
      shapes: [
        [36, 68],
        [68, 44],
      ],
      build: ([a, b]) => matmul(a!, b!),
      reference: productOf(36, 68, 44),
      differentiable: [],
      preferences: [{ conv2d: 'tile32x32x32of4x4' }],
    });
  } finally {
    Object.assign(traits, { adapter });
  }
});

test('a deep sum for a GPU with room is split, and ends with the epilogue', async () => {
  const { traits } = await testDevice();
  const variant = 'tile32x32x32of4x4';
  const [m, k, n] = [8, 4096, 16];
  const graph = new Graph();
  matmul(graph.input('a', [m, k]), graph.input('b', [k, n]));
  const node = graph.nodes.find(({ op }) => op.name === 'conv2d')!;
  const { residentGroups } = traits;
  // Only the number of splits depends on it.
  Object.assign(traits, { residentGroups: 256 });
  try {
    expect(choose(node, traits, { preference: { conv2d: variant } }).kernel.steps.length).toBeGreaterThan(1);
    await checkOp({
      shapes: [[m, k], [k, n], [n]],
      build: ([a, b, bias]) => relu(add(matmul(a!, b!), bias!)),
      reference: (operands) =>
        productOf(m, k, n)(operands).map((value, at) => Math.max(0, value + operands[2]![at % n]!)),
      preferences: [{ conv2d: variant, conv2dInputGradient: variant, conv2dWeightGradient: variant }],
    });
  } finally {
    Object.assign(traits, { residentGroups });
  }
});
