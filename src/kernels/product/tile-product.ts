import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { at, type DType, type Problem } from '../../engine/graph/tensor.js';
import { forwardGather, type Gather, inputGradientGather } from '../conv/conv-gather.js';
import type { ConvGeometry } from '../conv/conv-geometry.js';
import { matrixOperand, type TileOperand } from './tile-operand.js';
import { type Pass, patchesAcross, patchesAlong, weightsAlong } from './tile-patches.js';

/**
 * The three directions of a convolution as matrix products, whatever kernel computes those. Where a pixel sees only
 * itself (1×1, and so every matrix product) both operands are plain matrices, and no kernel looks for taps.
 */
export interface TileProduct {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly left: TileOperand;
  readonly right: TileOperand;
  /** The rows lie apart in the result: the pixels of one residue class modulo the stride. */
  readonly scatter: Readonly<Record<string, number>> | undefined;
  /** Elements of the whole result, to which other products may contribute too. */
  readonly elements: number;
}

export function forwardProducts({ inputs, attributes: g }: Problem<ConvGeometry>): TileProduct[] {
  const gather = forwardGather(g);
  return gather.passes.map((pass) => {
    const depth = g.kh * g.kw * g.c;
    const right = matrixOperand('right', { dtype: at(inputs, 1).dtype, outers: g.o, depth, along: false });
    return gatherProduct(gather, pass, at(inputs, 0).dtype, right);
  });
}

export function inputGradientProducts({ inputs, attributes: g }: Problem<ConvGeometry>): TileProduct[] {
  const gather = inputGradientGather(g);
  const { dtype } = at(inputs, 1);
  return gather.passes.map((pass) => {
    const right = seesItself(gather, pass)
      ? matrixOperand('right', { dtype, outers: g.c, depth: g.o, along: true })
      : weightsAlong(dtype, gather, pass);
    return gatherProduct(gather, pass, at(inputs, 0).dtype, right);
  });
}

export function weightGradientProducts({ inputs, attributes: g }: Problem<ConvGeometry>): TileProduct[] {
  const [xType, dyType] = [at(inputs, 0).dtype, at(inputs, 1).dtype];
  const depth = g.n * g.oh * g.ow;
  const rows = g.kh * g.kw * g.c;
  const [pass] = forwardGather(g).passes;
  const left =
    pass && seesItself(forwardGather(g), pass)
      ? matrixOperand('left', { dtype: xType, outers: g.c, depth, along: false })
      : patchesAcross(xType, g);
  const right = matrixOperand('right', { dtype: dyType, outers: g.o, depth, along: false });
  return [{ rows, columns: g.o, depth, left, right, scatter: undefined, elements: rows * g.o }];
}

function gatherProduct(gather: Gather, pass: Pass, dtype: DType, right: TileOperand): TileProduct {
  const { image, channels, outH, outW } = gather;
  const { y, x } = pass;
  const rows = image.n * y.count * x.count;
  const depth = y.taps.length * x.taps.length * image.c;
  const left = seesItself(gather, pass)
    ? matrixOperand('left', { dtype, outers: rows, depth, along: true })
    : patchesAlong(dtype, gather, pass);
  const scatter =
    y.step === 1 && x.step === 1
      ? undefined
      : {
          countY: y.count,
          countX: x.count,
          firstY: y.first,
          firstX: x.first,
          stepY: y.step,
          stepX: x.step,
          outH,
          outW,
        };
  return {
    rows,
    columns: channels,
    depth,
    left,
    right,
    scatter,
    elements: image.n * outH * outW * channels,
  };
}

/** A kernel of 1×1 and nothing skipped: each output pixel is made of the input pixel at its own place and of nothing else. */
function seesItself({ image, passes }: Gather, { y, x }: Pass): boolean {
  const alone = (axis: Pass['y'], border: number, size: number) =>
    axis.taps.length === 1 && axis.advance === 1 && axis.origin === border && axis.count === size;
  return passes.length === 1 && alone(y, image.top, image.h) && alone(x, image.left, image.w);
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
  let line = row / dims.countX;
  let n = line / dims.countY;
  let y = (line - n * dims.countY) * dims.stepY + dims.firstY;
  let x = (row - line * dims.countX) * dims.stepX + dims.firstX;
  return (n * dims.outH + y) * dims.outW + x;
#else
  return row;
#endif
}
fn store(split: u32, row: u32, column: u32, value: vec4f) {
  if (row >= dims.rows || column >= dims.columns) { return; }
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
