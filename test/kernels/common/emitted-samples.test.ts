import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { choose } from '../../../src/engine/choose/choose.js';
import { rewrite } from '../../../src/engine/graph/rewrite.js';
import { at, type DeviceTraits, Graph, type Tensor } from '../../../src/engine/graph/tensor.js';
import { grad } from '../../../src/kernels/common/grad.js';
import { conv2d } from '../../../src/kernels/conv/conv.js';
import { fusedLoss } from '../../../src/kernels/loss/loss.js';
import { twoWayLoss } from '../../../src/kernels/loss/two-way-loss.js';
import { add, mul, relu } from '../../../src/kernels/pointwise/pointwise-table.js';
import { bmm } from '../../../src/kernels/product/bmm.js';
import { sum } from '../../../src/kernels/reduce/reduce.js';
import { transpose } from '../../../src/kernels/shape/movement.js';
import { maxPool2d } from '../../../src/kernels/shape/pool.js';

/**
 * The comments of the WGSL builders show samples of the code that they emit, shortened where a line holds an ellipsis.
 * Here each is held against the code itself, so that none grows old.
 */
const LIMITS = {
  maxBindings: 10,
  maxBindingBytes: 2 ** 30,
  maxBufferBytes: 2 ** 30,
  maxTextureSide: 8192,
  maxWorkgroupBytes: 32768,
  maxInvocations: 1024,
  maxWorkgroups: 65535,
  bindingAlignment: 256,
  f16: false,
  residentGroups: 256,
  matrices: [],
};
const SOFTWARE: DeviceTraits = { ...LIMITS, kind: 'software', adapter: 'swiftshader', subgroupSize: 4 };
const GPU: DeviceTraits = { ...LIMITS, kind: 'gpu', adapter: 'gpu', subgroupSize: 8 };

interface Sample {
  readonly traits: DeviceTraits;
  /** Name of the op whose kernel it is, and of the variant. */
  readonly op: string;
  readonly variant: string;
  readonly trace: (graph: Graph) => Tensor;
}

const pointwise1 = (graph: Graph) => conv2d(graph.input('x', [1, 4, 4, 4]), graph.input('w', [1, 1, 4, 4]));
const depthwise = (graph: Graph) =>
  conv2d(graph.input('x', [1, 4, 4, 4]), graph.input('w', [2, 2, 1, 4]), { groups: 4 });
const product = (graph: Graph) => bmm(graph.input('a', [1, 4, 4]), graph.input('b', [1, 4, 4]));
const gradients = (trace: (graph: Graph) => Tensor) => (graph: Graph) => {
  const y = trace(graph);
  grad(sum(y), [...graph.inputs.values()]);
  return y;
};

const samples: Readonly<Record<string, Sample>> = {
  '1×1 convolution of 4 channels into 4, lanes of 4': {
    traits: SOFTWARE,
    op: 'conv2d',
    variant: 'lanes',
    trace: pointwise1,
  },
  'weight gradient of a 1×1 convolution of 4 channels into 4, lanes of 4': {
    traits: SOFTWARE,
    op: 'conv2dWeightGradient',
    variant: 'lanes',
    trace: gradients(pointwise1),
  },
  '3×3 convolution by F(2×2, 3×3), from its products to its results': {
    traits: SOFTWARE,
    op: 'conv2d',
    variant: 'winograd2x2',
    trace: (graph) => conv2d(graph.input('x', [1, 4, 4, 4]), graph.input('w', [3, 3, 4, 4])),
  },
  'depthwise 2×2 convolution, one channel a lane': {
    traits: GPU,
    op: 'conv2d',
    variant: 'rollingChannels',
    trace: depthwise,
  },
  'weight gradient of a depthwise 2×2 convolution, one channel a lane': {
    traits: GPU,
    op: 'conv2dWeightGradient',
    variant: 'rollingChannels',
    trace: gradients(depthwise),
  },
  'tile64x64x16of8x4 of a batched product': {
    traits: GPU,
    op: 'bmm',
    variant: 'tile64x64x16of8x4',
    trace: product,
  },
  'tileSubgroup of a batched product, subgroups of 8': {
    traits: GPU,
    op: 'bmm',
    variant: 'tileSubgroup',
    trace: product,
  },
  'tileRegisters of a batched product': { traits: GPU, op: 'bmm', variant: 'tileRegisters', trace: product },
  'sum over the first axis of [4, 8], serial': {
    traits: SOFTWARE,
    op: 'reduce',
    variant: 'serial',
    trace: (graph) => sum(graph.input('x', [4, 8]), [0]),
  },
  '2×2 maximum pooling of [1, 4, 4, 4]': {
    traits: SOFTWARE,
    op: 'maxPool2d',
    variant: 'window',
    trace: (graph) => maxPool2d(graph.input('x', [1, 4, 4, 4]), { kernel: 2 }),
  },
  '2·x of 32 elements on a software adapter': {
    traits: SOFTWARE,
    op: 'pointwise',
    variant: 'vec4',
    trace: (graph) => mul(graph.input('x', [32]), 2),
  },
  'bias [8] added to [3, 8], down the columns': {
    traits: SOFTWARE,
    op: 'pointwise',
    variant: 'columns',
    trace: (graph) => add(graph.input('x', [3, 8]), graph.input('b', [8])),
  },
  'bias and ReLU behind a convolution': {
    traits: GPU,
    op: 'conv2d',
    variant: 'direct',
    trace: (graph) => relu(add(pointwise1(graph), graph.input('b', [4]))),
  },
  'two-way loss of [2, 3]': {
    traits: SOFTWARE,
    op: 'twoWayLoss',
    variant: 'segments',
    trace: (graph) =>
      twoWayLoss(
        { negativeTemperature: 4, positiveTemperature: 1, smoothing: 0, reduction: 'sum' },
        graph.input('x', [2, 3]),
        graph.input('y', [2, 3]),
      ),
  },
  'fused loss of [2, 4]': {
    traits: SOFTWARE,
    op: 'fusedLoss',
    variant: 'single',
    trace: (graph) =>
      fusedLoss(
        { name: 'loss:test', code: '', flops: 1, smoothing: 0, reduction: 'sum' },
        graph.input('x', [2, 4]),
        graph.input('y', [2, 4]),
      ),
  },
  'transpose of [4, 8]': {
    traits: SOFTWARE,
    op: 'permute',
    variant: 'block',
    trace: (graph) => transpose(graph.input('x', [4, 8])),
  },
};

/** The WGSL of all dispatches of a sample's kernel. */
function emitted({ traits, op, variant, trace }: Sample): string {
  const graph = new Graph();
  const y = trace(graph);
  const results = new Set([y]);
  const nodes = [...rewrite(graph.nodes, results, traits), ...graph.nodes];
  const node = nodes.find((each) => each.op.name === op);
  if (!node) throw new Error(`the sample has no ${op}`);
  const { kernel } = choose(node, traits, { preference: { [op]: variant } });
  return kernel.steps.map((step) => (step.kind === 'dispatch' ? step.code : '')).join('\n');
}

const folder = new URL('../../../src/kernels/', import.meta.url).pathname;
const shown = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .flatMap((path) =>
    [
      ...readFileSync(join(folder, path), 'utf8').matchAll(
        /^ \* Sample \((.+)\):\n((?: \*(?: {4,}.*)?\n)+)/gm,
      ),
    ].map(([, name = '', lines = '']) => ({
      path,
      name,
      lines: lines.split('\n').map((line) => line.slice(2)),
    })),
  );

test('every sample has its case here, and every case its sample', () => {
  expect(shown.map(({ name }) => name).sort()).toEqual(Object.keys(samples).sort());
});

test.each(shown)('$path shows the code that it emits: $name', ({ name, lines }) => {
  const sample = samples[name];
  if (!sample) throw new Error(`no case is named "${name}"`);
  const plain = (line: string) => line.replaceAll(/\s+/g, ' ').trim();
  const code = emitted(sample)
    .split('\n')
    .map(plain)
    .filter((line) => line !== '');
  const wanted = lines.map(plain).filter((line) => line !== '');
  expect(wanted.length).toBeGreaterThan(3);
  let position = code.indexOf(at(wanted, 0)) - 1;
  for (const [i, line] of wanted.entries()) {
    if (line === '…') continue;
    // Without an ellipsis in between the next line must follow at once.
    const found = code.indexOf(line, position + 1);
    expect(found, `"${line}" is not emitted here`).toBeGreaterThan(position);
    if (i > 0 && wanted[i - 1] !== '…')
      expect(found, `lines are missing before "${line}"`).toBe(position + 1);
    position = found;
  }
});
