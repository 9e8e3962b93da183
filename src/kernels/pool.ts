import { applyOne, at, elementCount, type Kernel, type Op, type Tensor } from '../engine/tensor.js';
import { flatGrid } from './grid.js';
import {
  inputShape,
  outputShape,
  type PoolOptions,
  type PoolWindow,
  poolWindow,
  windowOf,
  windowsOver,
} from './pool-window.js';
import { mean } from './reduce.js';

/**
 * Maximum, average and global pooling of [n, h, w, c]. The gradients gather: each input pixel visits the windows that
 * cover it, so nothing is added atomically and the result has the same bits at every run.
 */

/** PyTorch's max_pool2d: outside counts as −∞, the first of equal elements gets the gradient. */
export function maxPool2d(x: Tensor, options: PoolOptions): Tensor {
  return at(x.graph.apply(maxPoolOp, [x], poolWindow('maxPool2d', x.shape, options)), 0);
}

export interface AveragePoolOptions extends PoolOptions {
  /** Whether padding counts as zeros of the average (PyTorch's default) or is left out of it. Default: true. */
  readonly countIncludePad?: boolean;
}

/** PyTorch's avg_pool2d. */
export function averagePool2d(x: Tensor, options: AveragePoolOptions): Tensor {
  const window = poolWindow('averagePool2d', x.shape, options);
  return applyOne(averagePoolOp, [x], { ...window, countIncludePad: options.countIncludePad ?? true });
}

/** The mean over rows and columns: [n, h, w, c] → [n, c]. */
export function globalAveragePool(x: Tensor): Tensor {
  return mean(x, [1, 2]);
}

/**
 * Outputs the maxima and, for the gradient, where in its window each was found: one byte, the four of neighbouring
 * channels packed in a u32 where the channels go in fours.
 */
const maxPoolOp: Op<PoolWindow> = {
  name: 'maxPool2d',
  infer: (_inputs, window) => [
    { shape: outputShape(window), dtype: 'f32' },
    {
      shape: [
        window.batch,
        window.rows.output,
        window.columns.output,
        window.channels / (packs(window) ? 4 : 1),
      ],
      dtype: 'u32',
    },
  ],
  vjp: (node, [gradient]) => [
    gradient && applyOne(maxPoolGradientOp, [gradient, at(node.outputs, 1)], node.attributes),
  ],
  flops: ({ attributes }) => windowElements(attributes),
  variants: [
    {
      name: 'window',
      unfit: () => undefined,
      rank: () => 1,
      build({ attributes: window }, traits) {
        const { rows, columns } = window;
        const vector = packs(window);
        const [t, u] = vector ? ['vec4f', 'vec4u'] : ['f32', 'u32'];
        return kernelOver(
          'output',
          window,
          {
            reads: [{ name: 'x', type: t }],
            writes: [
              { name: 'y', type: t },
              { name: 'positions', type: 'u32' },
            ],
            body: `${windowOf(rows, 'y', 'row')}
  ${windowOf(columns, 'x', 'column')}
  var best = ${t}(-0x1.fffffep+127f);
  var found = ${u}((yFirst + ${rows.padding}u - row * ${rows.stride}u) * ${columns.kernel}u + xFirst + ${columns.padding}u - column * ${columns.stride}u);
  for (var v = yFirst; v < yLast; v++) {
    let line = (v + ${rows.padding}u - row * ${rows.stride}u) * ${columns.kernel}u + ${columns.padding}u - column * ${columns.stride}u;
    for (var h = xFirst; h < xLast; h++) {
      let value = x[((image * ${rows.input}u + v) * ${columns.input}u + h) * CHANNELS + channel];
      let larger = value > best;
      best = select(best, value, larger);
      found = select(found, ${u}(line + h), larger);
    }
  }
  y[i] = best;
  positions[i] = ${vector ? 'dot(found, vec4u(1u, 1u << 8u, 1u << 16u, 1u << 24u))' : 'found'};`,
          },
          traits,
        );
      },
    },
  ],
};

/** (dy, positions) → dx */
const maxPoolGradientOp: Op<PoolWindow> = {
  name: 'maxPool2dGradient',
  infer: (_inputs, window) => [{ shape: inputShape(window), dtype: 'f32' }],
  flops: ({ attributes }) => windowElements(attributes),
  variants: [
    {
      name: 'gather',
      unfit: () => undefined,
      rank: () => 1,
      build({ attributes: window }, traits) {
        const { rows, columns } = window;
        const vector = packs(window);
        const t = vector ? 'vec4f' : 'f32';
        const found = vector
          ? '((vec4u(positions[o]) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(255u))'
          : 'positions[o]';
        return kernelOver(
          'input',
          window,
          {
            reads: [
              { name: 'dy', type: t },
              { name: 'positions', type: 'u32' },
            ],
            writes: [{ name: 'dx', type: t }],
            body: `${windowsOver(rows, 'y', 'row')}
  ${windowsOver(columns, 'x', 'column')}
  var sum = ${t}(0.0);
  for (var v = yFirst; v < yLast; v++) {
    let line = (row + ${rows.padding}u - v * ${rows.stride}u) * ${columns.kernel}u;
    for (var h = xFirst; h < xLast; h++) {
      let here = line + column + ${columns.padding}u - h * ${columns.stride}u;
      let o = ((image * ${rows.output}u + v) * ${columns.output}u + h) * CHANNELS + channel;
      sum += select(${t}(0.0), dy[o], ${found} == ${vector ? 'vec4u(here)' : 'here'});
    }
  }
  dx[i] = sum;`,
          },
          traits,
        );
      },
    },
  ],
};

interface AverageAttributes extends PoolWindow {
  readonly countIncludePad: boolean;
}

const averagePoolOp: Op<AverageAttributes> = {
  name: 'averagePool2d',
  infer: (_inputs, window) => [{ shape: outputShape(window), dtype: 'f32' }],
  vjp: (node, [gradient]) => [gradient && applyOne(averagePoolGradientOp, [gradient], node.attributes)],
  flops: ({ attributes }) => windowElements(attributes),
  variants: [
    {
      name: 'window',
      unfit: () => undefined,
      rank: () => 1,
      build({ attributes: window }, traits) {
        const { rows, columns, channels, countIncludePad } = window;
        const t = channels % 4 === 0 ? 'vec4f' : 'f32';
        const count = countIncludePad
          ? `${rows.kernel * columns.kernel}.0`
          : 'f32((yLast - yFirst) * (xLast - xFirst))';
        return kernelOver(
          'output',
          window,
          {
            reads: [{ name: 'x', type: t }],
            writes: [{ name: 'y', type: t }],
            body: `${windowOf(rows, 'y', 'row')}
  ${windowOf(columns, 'x', 'column')}
  var sum = ${t}(0.0);
  for (var v = yFirst; v < yLast; v++) {
    for (var h = xFirst; h < xLast; h++) {
      sum += x[((image * ${rows.input}u + v) * ${columns.input}u + h) * CHANNELS + channel];
    }
  }
  y[i] = sum / ${count};`,
          },
          traits,
        );
      },
    },
  ],
};

/** dy → dx; linear, so its own gradient is the pooling again. */
const averagePoolGradientOp: Op<AverageAttributes> = {
  name: 'averagePool2dGradient',
  infer: (_inputs, window) => [{ shape: inputShape(window), dtype: 'f32' }],
  vjp: (node, [gradient]) => [gradient && applyOne(averagePoolOp, [gradient], node.attributes)],
  flops: ({ attributes }) => windowElements(attributes),
  variants: [
    {
      name: 'gather',
      unfit: () => undefined,
      rank: () => 1,
      build({ attributes: window }, traits) {
        const { rows, columns, channels, countIncludePad } = window;
        const t = channels % 4 === 0 ? 'vec4f' : 'f32';
        const count = countIncludePad
          ? `${rows.kernel * columns.kernel}.0`
          : 'f32((aLast - aFirst) * (bLast - bFirst))';
        return kernelOver(
          'input',
          window,
          {
            reads: [{ name: 'dy', type: t }],
            writes: [{ name: 'dx', type: t }],
            body: `${windowsOver(rows, 'y', 'row')}
  ${windowsOver(columns, 'x', 'column')}
  var sum = ${t}(0.0);
  for (var v = yFirst; v < yLast; v++) {
    ${windowOf(rows, 'a', 'v')}
    for (var h = xFirst; h < xLast; h++) {
      ${windowOf(columns, 'b', 'h')}
      sum += dy[((image * ${rows.output}u + v) * ${columns.output}u + h) * CHANNELS + channel] / ${count};
    }
  }
  dx[i] = sum;`,
          },
          traits,
        );
      },
    },
  ],
};

/**
 * One lane for each element (four channels of a pixel where they go in fours) of the output or the input: `i` counts
 * them, `image`, `row`, `column` and `channel` are their coordinates, CHANNELS their number a pixel.
 */
function kernelOver(
  side: 'input' | 'output',
  { batch, rows, columns, channels }: PoolWindow,
  kernel: { reads: readonly Operand[]; writes: readonly Operand[]; body: string },
  traits: Parameters<typeof flatGrid>[2],
): Kernel {
  const width = kernel.reads[0]?.type === 'vec4f' ? 4 : 1;
  const count = (batch * rows[side] * columns[side] * channels) / width;
  const grid = flatGrid(count, 64, traits);
  return {
    scratch: [],
    steps: [
      {
        kind: 'dispatch',
        bindings: [
          ...kernel.reads.map(
            ({ name, type }, index) =>
              ({ name, type, operand: { kind: 'input', index }, access: 'read' }) as const,
          ),
          ...kernel.writes.map(
            ({ name, type }, index) =>
              ({ name, type, operand: { kind: 'output', index }, access: 'read_write' }) as const,
          ),
        ],
        workgroups: grid.workgroups,
        code: `const CHANNELS = ${channels / width}u;
${grid.code}
@compute @workgroup_size(64) fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = flatIndex(group, lane);
  if (i >= ${count}u) { return; }
  let channel = i % CHANNELS;
  let column = i / CHANNELS % ${columns[side]}u;
  let row = i / (CHANNELS * ${columns[side]}u) % ${rows[side]}u;
  let image = i / (CHANNELS * ${columns[side] * rows[side]}u);
  ${kernel.body}
}`,
      },
    ],
  };
}

interface Operand {
  readonly name: string;
  readonly type: string;
}

/** Whether positions fit a byte and channels go in fours. */
function packs({ rows, columns, channels }: PoolWindow): boolean {
  return channels % 4 === 0 && rows.kernel * columns.kernel <= 256;
}

function windowElements(window: PoolWindow): number {
  return elementCount(outputShape(window)) * window.rows.kernel * window.columns.kernel;
}
