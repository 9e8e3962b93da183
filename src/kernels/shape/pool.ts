import { share } from '../../engine/graph/rows.js';
import {
  applyOne,
  at,
  elementCount,
  type Op,
  type Problem,
  type RowRange,
  type Tensor,
} from '../../engine/graph/tensor.js';
import { byFirstAxis } from '../common/rows.js';
import { storageTypeOf } from '../common/storage-type.js';
import { typeT } from '../reduce/fold.js';
import { mean } from '../reduce/reduce.js';
import { poolVariant } from './pool-variant.js';
import {
  inputShape,
  outputShape,
  type PoolOptions,
  type PoolWindow,
  poolWindow,
  windowElementCount,
} from './pool-window.js';

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
export const maxPoolOp: Op<PoolWindow> = {
  name: 'maxPool2d',
  rows: (problem) => byFirstAxis(problem, [true], windowsOf(problem)),
  // Not the positions.
  halves: { inputs: 'all', outputs: [0] },
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
    poolVariant('output', ({ inputs, outputs, attributes: window }) => {
      const { rows, columns } = window;
      const vector = packs(window);
      const width = vector ? 4 : 1;
      const [t, u] = vector ? ['vec4f', 'vec4u'] : ['f32', 'u32'];
      const stored = storageTypeOf(outputs, 0, width);
      const line = (v: string) => `(${v} + ${rows.padding}u - row * ${rows.stride}u) * ${columns.kernel}u`;
      return {
        width,
        reads: [{ name: 'x', type: storageTypeOf(inputs, 0, width) }],
        writes: [
          { name: 'y', type: stored },
          { name: 'positions', type: 'u32' },
        ],
        // Where nothing is larger than −∞, the window's first pixel counts as found.
        start: (k, column) => `var best${k} = ${t}(-0x1.fffffep+127f);
  var found${k} = ${u}(${line('yFirst')} + max(${column} * ${columns.stride}u, ${columns.padding}u) - ${column} * ${columns.stride}u);`,
        row: `let line = ${line('v')};`,
        load: `let value = ${t}(x[there]);`,
        pixel: (k, offset) => `{ let larger = value > best${k};
        best${k} = select(best${k}, value, larger);
        found${k} = select(found${k}, ${u}(line + ${offset}u), larger); }`,
        end: (k) => `y[here] = ${stored}(best${k});
      positions[here] = ${vector ? `dot(found${k}, vec4u(1u, 1u << 8u, 1u << 16u, 1u << 24u))` : `found${k}`};`,
      };
    }),
  ],
};

/** (dy, positions) → dx */
const maxPoolGradientOp: Op<PoolWindow> = {
  name: 'maxPool2dGradient',
  rows: (problem) => byFirstAxis(problem, [true, true], windowsOf(problem)),
  halves: { inputs: 'all', outputs: 'all' },
  infer: (_inputs, window) => [{ shape: inputShape(window), dtype: 'f32' }],
  flops: ({ attributes }) => windowElements(attributes),
  variants: [
    poolVariant('input', ({ inputs, outputs, attributes: window }) => {
      const { rows, columns } = window;
      const vector = packs(window);
      const width = vector ? 4 : 1;
      const t = vector ? 'vec4f' : 'f32';
      const stored = storageTypeOf(outputs, 0, width);
      // Four positions in a word are compared at once: equal bytes cancel. No shifts, which some processors do lane by lane.
      const repeated = vector ? 0x01010101 : 1;
      const equals = (wanted: string) =>
        vector
          ? `(vec4u(found ^ ${wanted}) & vec4u(0xffu, 0xff00u, 0xff0000u, 0xff000000u)) == vec4u(0u)`
          : `found == ${wanted}`;
      return {
        width,
        reads: [
          { name: 'dy', type: storageTypeOf(inputs, 0, width) },
          { name: 'positions', type: 'u32' },
        ],
        writes: [{ name: 'dx', type: stored }],
        start: (k) => `var sum${k} = ${t}(0.0);`,
        row: `let line = (row + ${rows.padding}u - v * ${rows.stride}u) * ${columns.kernel * repeated}u;`,
        load: `let gradient = ${t}(dy[there]); let found = positions[there];`,
        pixel: (k, offset) =>
          `sum${k} += select(${t}(0.0), gradient, ${equals(`(line + ${offset * repeated}u)`)});`,
        end: (k) => `dx[here] = ${stored}(sum${k});`,
      };
    }),
  ],
};

export interface AverageAttributes extends PoolWindow {
  readonly countIncludePad: boolean;
}

export const averagePoolOp: Op<AverageAttributes> = {
  name: 'averagePool2d',
  rows: (problem) => byFirstAxis(problem, [true], windowsOf(problem)),
  halves: { inputs: 'all', outputs: 'all' },
  infer: (_inputs, window) => [{ shape: outputShape(window), dtype: 'f32' }],
  vjp: (node, [gradient]) => [gradient && applyOne(averagePoolGradientOp, [gradient], node.attributes)],
  flops: ({ attributes }) => windowElements(attributes),
  variants: [
    poolVariant('output', ({ inputs, outputs, attributes }) => {
      const width = attributes.channels % 4 === 0 ? 4 : 1;
      const t = typeT(width);
      const stored = storageTypeOf(outputs, 0, width);
      const count = windowElementCount(attributes, {
        row: 'row',
        column: 'column',
        countPadding: attributes.countIncludePad,
      });
      return {
        width,
        reads: [{ name: 'x', type: storageTypeOf(inputs, 0, width) }],
        writes: [{ name: 'y', type: stored }],
        start: (k) => `var sum${k} = ${t}(0.0);`,
        load: `let value = ${t}(x[there]);`,
        pixel: (k) => `sum${k} += value;`,
        end: (k) => `y[here] = ${stored}(sum${k} / ${count});`,
      };
    }),
  ],
};

/** dy → dx; linear, so its own gradient is the pooling again. */
const averagePoolGradientOp: Op<AverageAttributes> = {
  name: 'averagePool2dGradient',
  rows: (problem) => byFirstAxis(problem, [true], windowsOf(problem)),
  halves: { inputs: 'all', outputs: 'all' },
  infer: (_inputs, window) => [{ shape: inputShape(window), dtype: 'f32' }],
  vjp: (node, [gradient]) => [gradient && applyOne(averagePoolOp, [gradient], node.attributes)],
  flops: ({ attributes }) => windowElements(attributes),
  variants: [
    poolVariant('input', ({ inputs, outputs, attributes }) => {
      const width = attributes.channels % 4 === 0 ? 4 : 1;
      const t = typeT(width);
      const stored = storageTypeOf(outputs, 0, width);
      const count = windowElementCount(attributes, {
        row: 'v',
        column: 'h',
        countPadding: attributes.countIncludePad,
      });
      return {
        width,
        reads: [{ name: 'dy', type: storageTypeOf(inputs, 0, width) }],
        writes: [{ name: 'dx', type: stored }],
        start: (k) => `var sum${k} = ${t}(0.0);`,
        load: `let portion = ${t}(dy[there]) / ${count};`,
        pixel: (k) => `sum${k} += portion;`,
        end: (k) => `dx[here] = ${stored}(sum${k});`,
      };
    }),
  ],
};

/** The windows of a range of images. */
function windowsOf<A extends PoolWindow>({ attributes }: Problem<A>): (range: RowRange) => A {
  return (range) => ({ ...attributes, batch: share(attributes.batch, range) });
}

/** Whether positions fit a byte and channels go in fours. */
function packs({ rows, columns, channels }: PoolWindow): boolean {
  return channels % 4 === 0 && rows.kernel * columns.kernel <= 256;
}

function windowElements(window: PoolWindow): number {
  return elementCount(outputShape(window)) * window.rows.kernel * window.columns.kernel;
}
