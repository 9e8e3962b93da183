import { ShapeError } from '../../engine/errors.js';
import { share } from '../../engine/graph/rows.js';
import {
  applyOne,
  at,
  describe,
  elementCount,
  type Op,
  type RowCut,
  type Shape,
  type Tensor,
  type TensorSpec,
} from '../../engine/graph/tensor.js';
import { finishable } from '../common/finishable.js';
import { sumsColumns, thenColumnSums } from '../reduce/column-sums.js';
import { mergeEach } from '../reduce/merge-ranges.js';
import { permute } from '../shape/movement.js';
import { reshape } from '../shape/reshape.js';
import * as direct from './conv-direct.js';
import { type ConvGeometry, type ConvOptions, convFlops, convGeometry } from './conv-geometry.js';
import * as tile from './conv-tile.js';
import * as lanes from './lanes/conv-lanes.js';
import * as rolling from './rolling/conv-rolling.js';
import * as window from './window/conv-window.js';
import * as winograd from './winograd/winograd.js';

/**
 * Two-dimensional convolution and its two gradients. x is [n, h, w, c], weights are [kh, kw, c / groups, o], the
 * result is [n, oh, ow, o]. The three ops are each other's gradients, so that any order of derivative can be traced.
 * All share one attribute, the geometry of the forward convolution.
 */
export const convOp: Op<ConvGeometry> = finishable({
  name: 'conv2d',
  infer: (inputs, g) => checked('conv2d', inputs, [xShape(g), wShape(g)], yShape(g)),
  vjp({ inputs, attributes: g }, [dy]) {
    if (!dy) return [];
    return [convInputGradient(dy, at(inputs, 1), g), convWeightGradient(at(inputs, 0), dy, g)];
  },
  rows: ({ attributes }) => rowsOfConv(attributes, [true, false]),
  halves: { inputs: 'all', outputs: 'all' },
  flops: ({ attributes }) => convFlops(attributes),
  variants: [
    lanes.forward,
    ...winograd.forward,
    ...tile.forward,
    rolling.texels.forward,
    rolling.channels.forward,
    window.forward,
    direct.forward,
  ],
});

/** (dy, w) → dx */
export const convInputGradientOp: Op<ConvGeometry> = finishable({
  name: 'conv2dInputGradient',
  infer: (inputs, g) => checked('conv2dInputGradient', inputs, [yShape(g), wShape(g)], xShape(g)),
  vjp({ inputs, attributes: g }, [ddx]) {
    if (!ddx) return [];
    return [applyOne(convOp, [ddx, at(inputs, 1)], g), convWeightGradient(ddx, at(inputs, 0), g)];
  },
  rows: ({ attributes }) => rowsOfConv(attributes, [true, false]),
  halves: { inputs: 'all', outputs: 'all' },
  flops: ({ attributes }) => convFlops(attributes),
  variants: [
    lanes.inputGradient,
    ...winograd.inputGradient,
    ...tile.inputGradient,
    rolling.texels.inputGradient,
    rolling.channels.inputGradient,
    window.inputGradient,
    direct.inputGradient,
  ],
});

/** (x, dy) → dw */
export const convWeightGradientOp: Op<ConvGeometry> = {
  name: 'conv2dWeightGradient',
  infer: (inputs, g) => checked('conv2dWeightGradient', inputs, [xShape(g), yShape(g)], wShape(g)),
  vjp({ inputs, attributes: g }, [ddw]) {
    if (!ddw) return [];
    return [convInputGradient(at(inputs, 1), ddw, g), applyOne(convOp, [at(inputs, 0), ddw], g)];
  },
  rows({ attributes, outputs }) {
    const cut = rowsOfConv(attributes, [true, true]);
    return cut && { ...cut, merge: () => mergeEach(outputs) };
  },
  // Gradients of weights stay f32.
  halves: { inputs: 'all', outputs: [] },
  flops: ({ attributes }) => convFlops(attributes),
  joinWith({ inputs, attributes }, operand, other) {
    if (operand !== 1 || !sumsColumns(other, attributes.o)) return undefined;
    return { op: convWeightBiasGradientOp as Op, attributes, inputs };
  },
  variants: [
    lanes.weightGradient,
    ...tile.weightGradient,
    rolling.texels.weightGradient,
    rolling.channels.weightGradient,
    window.weightGradient,
    direct.weightGradient,
  ],
};

/**
 * (x, dy) → dw, db: with the gradient of a bias behind the convolution, Σ dy over the pixels. Nobody traces it: where both
 * gradients are asked for, they are joined, since kernels for weight gradients have every dy at hand.
 */
const convWeightBiasGradientOp: Op<ConvGeometry> = {
  name: 'conv2dWeightBiasGradient',
  infer: (inputs, g) => [
    ...checked('conv2dWeightBiasGradient', inputs, [xShape(g), yShape(g)], wShape(g)),
    { shape: [g.o], dtype: 'f32' },
  ],
  rows({ attributes, outputs }) {
    const cut = rowsOfConv(attributes, [true, true]);
    return cut && { ...cut, merge: () => mergeEach(outputs) };
  },
  halves: { inputs: 'all', outputs: [] },
  flops: ({ attributes }) => convFlops(attributes) + elementCount(yShape(attributes)),
  variants: [
    thenColumnSums(lanes.weightGradient, 1),
    ...tile.weightBiasGradient,
    rolling.texels.weightBiasGradient,
    rolling.channels.weightBiasGradient,
    thenColumnSums(window.weightGradient, 1),
    thenColumnSums(direct.weightGradient, 1),
  ],
};

/**
 * Cross-correlation with zero padding, as PyTorch's `conv2d` (in NHWC).
 * @param x [n, h, w, c] @param w [kh, kw, c / groups, o] @returns [n, oh, ow, o]
 */
export function conv2d(x: Tensor, w: Tensor, options: ConvOptions = {}): Tensor {
  return applyOne(convOp, [x, w], convGeometry(x.shape, w.shape, options));
}

function convInputGradient(dy: Tensor, w: Tensor, g: ConvGeometry): Tensor {
  return applyOne(convInputGradientOp, [dy, w], g);
}

function convWeightGradient(x: Tensor, dy: Tensor, g: ConvGeometry): Tensor {
  return applyOne(convWeightGradientOp, [x, dy], g);
}

/**
 * The product of two matrices, either transposed on the way in. It is the 1×1 convolution over a row of pixels, and
 * the transposed forms are its two gradients: every variant of the convolution serves.
 * @param a [m, k], or [k, m] with `transposeA` @param b [k, n], or [n, k] with `transposeB` @returns [m, n]
 */
export function matmul(
  a: Tensor,
  b: Tensor,
  { transposeA = false, transposeB = false }: { transposeA?: boolean; transposeB?: boolean } = {},
): Tensor {
  if (a.shape.length !== 2 || b.shape.length !== 2) {
    throw new ShapeError(`matmul needs two matrices, got ${describe(a)} and ${describe(b)}`);
  }
  if (transposeA && transposeB) return permute(matmul(b, a), [1, 0]);
  const attributes = { transposeA: Number(transposeA), transposeB: Number(transposeB) };
  return a.graph.composite({ name: 'matmul', inputs: [a, b], attributes }, () =>
    convolved(a, b, transposeA, transposeB),
  );
}

function convolved(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean): Tensor {
  const [a0, a1] = a.shape as [number, number];
  const [b0, b1] = b.shape as [number, number];
  const inner = [transposeA ? a0 : a1, transposeB ? b1 : b0];
  if (inner[0] !== inner[1]) {
    throw new ShapeError(
      `matmul: ${describe(a)}${transposeA ? 'ᵀ' : ''} and ${describe(b)}${transposeB ? 'ᵀ' : ''} do not chain`,
    );
  }
  const pixels = (matrix: Tensor) => reshape(matrix, [1, 1, ...matrix.shape]);
  if (transposeA) {
    // (x, dy) → dw: sums over the pixels, which are the rows of both
    const g = convGeometry([1, 1, a0, a1], [1, 1, a1, b1]);
    return reshape(convWeightGradient(pixels(a), pixels(b), g), [a1, b1]);
  }
  if (transposeB) {
    const g = convGeometry([1, 1, a0, b0], [1, 1, b0, b1]);
    return reshape(convInputGradient(pixels(a), pixels(b), g), [a0, b0]);
  }
  return reshape(conv2d(pixels(a), pixels(b)), [a0, b1]);
}

/** By image; a product of matrices, which is one row of pixels, by pixel. */
function rowsOfConv(g: ConvGeometry, inputs: readonly [boolean, boolean]): RowCut<ConvGeometry> | undefined {
  if (g.n > 1) return { inputs, attributes: (range) => ({ ...g, n: share(g.n, range) }) };
  const pixels = g.h === 1 && g.oh === 1 && g.kh === 1 && g.kw === 1 && g.w > 1 && g.w === g.ow;
  if (!pixels || g.padLeft !== 0) return undefined;
  return { inputs, attributes: (range) => ({ ...g, w: share(g.w, range), ow: share(g.ow, range) }) };
}

function xShape({ n, h, w, c }: ConvGeometry): Shape {
  return [n, h, w, c];
}

function wShape({ kh, kw, c, o, groups }: ConvGeometry): Shape {
  return [kh, kw, c / groups, o];
}

function yShape({ n, oh, ow, o }: ConvGeometry): Shape {
  return [n, oh, ow, o];
}

function checked(
  name: string,
  inputs: readonly TensorSpec[],
  expected: readonly Shape[],
  result: Shape,
): TensorSpec[] {
  for (const [i, input] of inputs.entries()) {
    if (input.dtype !== 'f32' || input.shape.join() !== at(expected, i).join()) {
      throw new ShapeError(`${name}: operand ${i} is ${describe(input)}, expected [${at(expected, i)}] f32`);
    }
  }
  return [{ shape: result, dtype: 'f32' }];
}
