import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { at, type DType, type Problem } from '../../engine/graph/tensor.js';
import { forwardGather, type Gather, inputGradientGather, patchwise } from '../conv/conv-gather.js';
import type { ConvGeometry } from '../conv/conv-geometry.js';
import { matrixOperand, type TileOperand } from './tile-operand.js';
import { type Pass, passSizes, patchesAcross, patchesAlong, weightsAlong } from './tile-patches.js';

/**
 * A direction of a convolution as a matrix product, whatever kernel computes it. Where a pixel sees only itself (1×1, and
 * so every matrix product) both operands are plain matrices, and no kernel looks for taps.
 */
export interface TileProduct {
  /**
   * The rows of the result in parts, each summed over a depth of its own: the passes of an input gradient, the deepest
   * first; otherwise one.
   */
  readonly parts: readonly TilePart[];
  readonly columns: number;
  readonly left: TileOperand;
  readonly right: TileOperand;
  /** The rows of a part lie apart in the result: the pixels of one residue class modulo the stride. */
  readonly scatter: Readonly<Record<string, number>> | undefined;
  /** Elements of the whole result. */
  readonly elements: number;
  /** The sums of the right operand's columns over the depth are a second result; such a product has one part. */
  readonly columnSums?: boolean;
}

export interface TilePart {
  readonly rows: number;
  readonly depth: number;
  /** What operands and the store read from `part`; the same names in all parts. */
  readonly sizes: Readonly<Record<string, number>>;
}

/** @param slice of the tile: places along the depth are kept for one at a time, see tile-operand.ts */
export function forwardProduct({ inputs, attributes }: Problem<ConvGeometry>, slice: number): TileProduct {
  const g = patchwise(attributes);
  const depth = g.kh * g.kw * g.c;
  const right = matrixOperand('right', {
    dtype: at(inputs, 1).dtype,
    outers: g.o,
    depth,
    along: false,
    slice,
  });
  return gatherProduct(forwardGather(g), at(inputs, 0).dtype, right, slice);
}

export function inputGradientProduct(
  { inputs, attributes }: Problem<ConvGeometry>,
  slice: number,
): TileProduct {
  const g = patchwise(attributes);
  const gather = inputGradientGather(g);
  const { dtype } = at(inputs, 1);
  const right = seesItself(gather)
    ? matrixOperand('right', { dtype, outers: g.c, depth: g.o, along: true, slice })
    : weightsAlong(dtype, gather, slice);
  return gatherProduct(gather, at(inputs, 0).dtype, right, slice);
}

export function weightGradientProduct(
  { inputs, attributes }: Problem<ConvGeometry>,
  slice: number,
): TileProduct {
  const g = patchwise(attributes);
  const [xType, dyType] = [at(inputs, 0).dtype, at(inputs, 1).dtype];
  const depth = g.n * g.oh * g.ow;
  const rows = g.kh * g.kw * g.c;
  const left = seesItself(forwardGather(g))
    ? matrixOperand('left', { dtype: xType, outers: g.c, depth, along: false, slice })
    : patchesAcross(xType, g, slice);
  const right = matrixOperand('right', { dtype: dyType, outers: g.o, depth, along: false, slice });
  const parts = [{ rows, depth, sizes: {} }];
  return { parts, columns: g.o, left, right, scatter: undefined, elements: rows * g.o };
}

/** The same with the gradient of a bias behind the convolution: the sums of dy over all pixels. */
export function weightBiasProduct(problem: Problem<ConvGeometry>, slice: number): TileProduct {
  return { ...weightGradientProduct(problem, slice), columnSums: true };
}

function gatherProduct(gather: Gather, dtype: DType, right: TileOperand, slice: number): TileProduct {
  const { image, channels, outH, outW, passes } = gather;
  const alone = seesItself(gather);
  const parts = passes.map((pass) => ({
    rows: image.n * pass.y.count * pass.x.count,
    depth: pass.y.taps.length * pass.x.taps.length * image.c,
    sizes: alone ? {} : passSizes(gather, pass),
  }));
  const { y, x } = at(passes, 0);
  return {
    parts: parts.sort((a, b) => b.depth - a.depth),
    columns: channels,
    left: alone
      ? matrixOperand('left', { dtype, outers: at(parts, 0).rows, depth: image.c, along: true, slice })
      : patchesAlong(dtype, gather, slice),
    right,
    scatter: y.step === 1 && x.step === 1 ? undefined : { stepY: y.step, stepX: x.step, outH, outW },
    elements: image.n * outH * outW * channels,
  };
}

/** A kernel of 1×1 and nothing skipped: each output pixel is made of the input pixel at its own place and of nothing else. */
function seesItself({ image, passes }: Gather): boolean {
  const alone = (axis: Pass['y'], border: number, size: number) =>
    axis.taps.length === 1 && axis.advance === 1 && axis.origin === border && axis.count === size;
  return (
    passes.length === 1 &&
    passes.every(({ y, x }) => alone(y, image.top, image.h) && alone(x, image.left, image.w))
  );
}

/**
 * WGSL `fn storeSums(split: u32, column: u32, value: vec4f)`: the sums of four neighbouring columns.
 * @param apart they are a result of their own; otherwise they lie behind the others of their share
 */
export function storeSumsCode({ columns }: TileProduct, apart: boolean): string {
  const target = apart ? 'columnSums' : 'result';
  return wgsl`
fn storeSums(split: u32, column: u32, value: vec4f) {
  if (column >= dims.columns) { return; }
  let i = ${apart ? 'column' : 'split * dims.elements + part.rows * dims.columns + column'};
#if ${columns % 4 === 0}
  ${target}[i / 4u] = value;
#else
  for (var j = 0u; j < min(4u, dims.columns - column); j++) { ${target}[i + j] = value[j]; }
#endif
}`;
}

/**
 * WGSL `fn store(split: u32, row: u32, column: u32, value: vec4f)`: four neighbours of a row, as far as they exist. The
 * only place that writes results, through an epilogue (epilogue.ts) that is declared before it. `split` is the number of the share of the depth, see split-sum.ts.
 */
export function storeCode({ columns, scatter }: TileProduct, dtype: DType): string {
  const vector = columns % 4 === 0;
  return wgsl`
fn placeOf(row: u32) -> u32 {
#if ${scatter !== undefined}
  let line = row / part.countX;
  let n = line / part.countY;
  let y = (line - n * part.countY) * dims.stepY + part.firstY;
  let x = (row - line * part.countX) * dims.stepX + part.firstX;
  return (n * dims.outH + y) * dims.outW + x;
#else
  return row;
#endif
}
fn store(split: u32, row: u32, column: u32, value: vec4f) {
  if (row >= part.rows || column >= dims.columns) { return; }
  let i = split * dims.elements + placeOf(row) * dims.columns + column;
#if ${vector}
  result[i / 4u] = ${dtype === 'f16' ? 'vec4h' : 'vec4f'}(finish(value, i / 4u, columnOperands(column / 4u)));
#else
  for (var j = 0u; j < min(4u, dims.columns - column); j++) {
    result[i + j] = ${dtype}(finish(value[j], i + j, columnOperands(column + j)));
  }
#endif
}`;
}
