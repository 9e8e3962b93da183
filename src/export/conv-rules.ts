import { at, type Node, type Tensor } from '../engine/graph/tensor.js';
import type { ConvGeometry } from '../kernels/conv/conv-geometry.js';
import type { AverageAttributes } from '../kernels/shape/pool.js';
import type { PoolWindow } from '../kernels/shape/pool-window.js';
import { ExportError } from './export-error.js';
import { CHANNELS_FIRST, type Translation } from './translation.js';

/** Convolution and pooling: what ONNX knows channels-first only. */

/** [kh, kw, i, o] as [o, i, kh, kw], which is how weights of convolutions lie in a state dict. */
const OUTPUTS_FIRST = [3, 2, 0, 1];

export interface ConvNode {
  readonly x: Tensor;
  readonly w: Tensor;
  readonly bias?: Tensor | undefined;
  readonly y: Tensor;
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  /** Above and left. */
  readonly before: readonly [number, number];
  readonly groups: number;
}

/** conv2d(x, w) */
export function convRule({ inputs, outputs, attributes: g }: Node<ConvGeometry>, to: Translation): void {
  emitConv(
    {
      x: at(inputs, 0),
      w: at(inputs, 1),
      y: at(outputs, 0),
      strides: [g.strideY, g.strideX],
      dilations: [g.dilationY, g.dilationX],
      before: [g.padTop, g.padLeft],
      groups: g.groups,
    },
    to,
  );
}

/** A convolution with or without bias. A 1×1 one, too: runtimes are faster with it than with the matrix product that it is. */
export function emitConv(conv: ConvNode, to: Translation): void {
  const { x, w, bias, y, strides, dilations, before, groups } = conv;
  const kernel = w.shape.slice(0, 2);
  const after = ([0, 1] as const).map((d) =>
    padAfter({
      inputs: to.sizes.of(x, d + 1),
      outputs: to.sizes.of(y, d + 1),
      before: before[d],
      reach: dilations[d] * (at(kernel, d) - 1) + 1,
      stride: strides[d],
      label: to.scope,
    }),
  );
  const operands = [to.ordered(x, CHANNELS_FIRST), to.ordered(w, OUTPUTS_FIRST)];
  const attributes = { kernel_shape: kernel, strides, dilations, group: groups, pads: [...before, ...after] };
  to.set(y, to.emit('Conv', bias ? [...operands, to.ordered(bias)] : operands, attributes), CHANNELS_FIRST);
}

/**
 * What is added below (or on the right): as much as above if that gives the sizes that were traced, else what the last
 * window needs; the geometry of a convolution does not say which it was.
 */
function padAfter({
  inputs,
  outputs,
  before,
  reach,
  stride,
  label,
}: {
  inputs: readonly number[];
  outputs: readonly number[];
  before: number;
  reach: number;
  stride: number;
  label: string;
}): number {
  const needed = (at(outputs, 0) - 1) * stride + reach - at(inputs, 0) - before;
  const fits = (after: number) =>
    inputs.every((size, i) => Math.floor((size + before + after - reach) / stride) + 1 === outputs[i]);
  const after = [before, Math.max(0, needed)].find(fits);
  if (after === undefined) {
    throw new ExportError(`${label}: its padding depends on the size of the image: give one size.`);
  }
  return after;
}

export function maxPoolRule(node: Node<PoolWindow>, to: Translation): void {
  const { inputs, outputs } = node;
  const attributes = windowAttributes(node, to);
  const pooled = to.emit('MaxPool', [to.ordered(at(inputs, 0), CHANNELS_FIRST)], attributes);
  to.set(at(outputs, 0), pooled, CHANNELS_FIRST);
}

export function averagePoolRule(node: Node<AverageAttributes>, to: Translation): void {
  const { inputs, outputs, attributes, label } = node;
  const window = windowAttributes(node, to);
  if (window.ceil_mode === 1 && attributes.countIncludePad) {
    throw new ExportError(
      `${label}: runtimes disagree on averages over windows that are cut off, with padding counted.`,
    );
  }
  const pooled = to.emit('AveragePool', [to.ordered(at(inputs, 0), CHANNELS_FIRST)], {
    ...window,
    count_include_pad: Number(attributes.countIncludePad),
  });
  to.set(at(outputs, 0), pooled, CHANNELS_FIRST);
}

/** @throws ExportError where neither rounding of the number of windows gives the sizes that were traced */
function windowAttributes(
  { inputs, outputs, attributes: { rows, columns }, label }: Node<PoolWindow>,
  to: Translation,
) {
  const rounded = (round: (windows: number) => number) =>
    [rows, columns].every(({ kernel, stride, padding }, d) => {
      const sizes = to.sizes.of(at(outputs, 0), d + 1);
      return to.sizes
        .of(at(inputs, 0), d + 1)
        .every((size, i) => round((size + 2 * padding - kernel) / stride) + 1 === sizes[i]);
    });
  const down = rounded(Math.floor);
  if (!down && !rounded(Math.ceil)) {
    throw new ExportError(`${label}: ONNX has no pooling that leaves out windows as this one does.`);
  }
  const pads = [rows.padding, columns.padding];
  return {
    kernel_shape: [rows.kernel, columns.kernel],
    strides: [rows.stride, columns.stride],
    pads: [...pads, ...pads],
    ceil_mode: down ? 0 : 1,
  };
}
