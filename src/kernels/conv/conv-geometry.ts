import { ShapeError } from '../../engine/errors.js';
import type { Shape } from '../../engine/graph/tensor.js';

/** All sizes of one convolution. Kernels get them as `dims`, so that one pipeline serves every layer. */
export type ConvGeometry = {
  readonly n: number;
  readonly h: number;
  readonly w: number;
  readonly c: number;
  readonly kh: number;
  readonly kw: number;
  readonly o: number;
  readonly oh: number;
  readonly ow: number;
  readonly strideY: number;
  readonly strideX: number;
  readonly padTop: number;
  readonly padLeft: number;
  readonly dilationY: number;
  readonly dilationX: number;
  readonly groups: number;
};

export interface ConvOptions {
  readonly stride?: number | readonly [y: number, x: number];
  /** Zeros around the input: on all sides, above/below and left/right, or each side. */
  readonly padding?:
    | number
    | readonly [y: number, x: number]
    | readonly [top: number, bottom: number, left: number, right: number];
  readonly dilation?: number | readonly [y: number, x: number];
  readonly groups?: number;
}

/** @throws ShapeError where the operands and options do not fit; it names the misfit */
export function convGeometry(x: Shape, weights: Shape, options: ConvOptions = {}): ConvGeometry {
  const [n, h, w, c] = x;
  const [kh, kw, perGroup, o] = weights;
  if (x.length !== 4 || weights.length !== 4 || !n || !h || !w || !c || !kh || !kw || !perGroup || !o) {
    throw new ShapeError(
      `conv2d needs [n, h, w, c] and [kh, kw, c / groups, o], got [${x}] and [${weights}]`,
    );
  }
  const [strideY, strideX] = pair(options.stride ?? 1);
  const [dilationY, dilationX] = pair(options.dilation ?? 1);
  const { padding = 0, groups = 1 } = options;
  const sides = typeof padding === 'number' ? [padding, padding] : padding;
  const [padTop = 0, padBottom = 0, padLeft = 0, padRight = 0] =
    sides.length === 4 ? sides : [sides[0], sides[0], sides[1], sides[1]];
  if (c !== perGroup * groups || o % groups !== 0) {
    throw new ShapeError(
      `conv2d: ${c} channels into ${o} with ${groups} groups need weights [kh, kw, ${c / groups}, ${o}], got [${weights}]`,
    );
  }
  const oh = Math.floor((h + padTop + padBottom - dilationY * (kh - 1) - 1) / strideY) + 1;
  const ow = Math.floor((w + padLeft + padRight - dilationX * (kw - 1) - 1) / strideX) + 1;
  if (oh < 1 || ow < 1) {
    throw new ShapeError(
      `conv2d: a ${kh}×${kw} kernel does not fit on a ${h}×${w} image with padding [${sides}]`,
    );
  }
  return { n, h, w, c, kh, kw, o, oh, ow, strideY, strideX, padTop, padLeft, dilationY, dilationX, groups };
}

/** Multiply and add count as two; the same for all three directions. */
export function convFlops({ n, oh, ow, o, kh, kw, c, groups }: ConvGeometry): number {
  return 2 * n * oh * ow * o * kh * kw * (c / groups);
}

function pair(value: number | readonly [number, number]): readonly [number, number] {
  return typeof value === 'number' ? [value, value] : value;
}
