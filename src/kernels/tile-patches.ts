import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import type { DType } from '../engine/tensor.js';
import type { Gather, TapAxis } from './conv-gather.js';
import type { ConvGeometry } from './conv-geometry.js';
import { four, type TileOperand } from './tile-operand.js';

/**
 * The operands of a convolution that are no matrices in memory: patches of an image, with pixels or with taps as the
 * rows, and the weights of those taps that a pass of an input gradient meets (see conv-gather.ts).
 */

export interface Pass {
  readonly y: TapAxis;
  readonly x: TapAxis;
}

/** The patch under an output pixel. An offset is where tap 0 and channel 0 lie, which may be outside of the image. */
const PATCH = `
struct Patch { offset: i32, y: i32, x: i32 }
/** Further outside than any tap reaches back. */
const OUTSIDE = -0x40000000;`;

/** Where channels come in odd numbers, neighbours along k may lie under different taps: every element for itself. */
const PATCHES_BY_ELEMENT = `
fn leftElement(spot: Patch, at: vec3u) -> f32 {
  if (!inside(spot, at)) { return 0.0; }
  return f32(left[indexOf(spot, at)]);
}
fn leftAcross(outer: LeftOuter, at: vec3u) -> vec4f {
  return vec4f(${four((j) => `leftElement(outer[${j}], at)`)});
}`;

/** Rows: the output pixels of a pass. k: (tap row, tap column, channel). */
export function patchesAlong(dtype: DType, { image }: Gather, { y, x }: Pass): TileOperand {
  const vector = image.c % 4 === 0;
  const dims = {
    countY: y.count,
    countX: x.count,
    h: image.h,
    w: image.w,
    c: image.c,
    // In pixels of the image itself, without its border. Negative ones wrap around, and back in the kernel.
    originY: y.origin - image.top,
    originX: x.origin - image.left,
    advanceY: y.advance,
    advanceX: x.advance,
    tapsY: y.taps.length,
    tapsX: Math.max(1, x.taps.length),
    tapStepY: y.tapStep,
    tapStepX: x.tapStep,
    tapStrideY: y.tapStep * image.w * image.c,
    tapStrideX: x.tapStep * image.c,
  };
  const code = wgsl`${PATCH}
alias LeftOuter = array<Patch, 4>;
fn patchOf(row: u32) -> Patch {
  let line = row / dims.countX;
  let n = line / dims.countY;
  let y = i32((line - n * dims.countY) * dims.advanceY + dims.originY);
  let x = i32((row - line * dims.countX) * dims.advanceX + dims.originX);
  let offset = ((i32(n * dims.h) + y) * i32(dims.w) + x) * i32(dims.c);
  return Patch(offset, select(OUTSIDE, y, row < dims.rows), x);
}
fn leftOuter(first: u32) -> LeftOuter { return LeftOuter(${four((j) => `patchOf(first + ${j}u)`)}); }
${odometer('left', 'dims.c', 'dims.tapsX')}
fn inside(spot: Patch, at: vec3u) -> bool {
  let y = u32(spot.y + i32(at.z * dims.tapStepY));
  let x = u32(spot.x + i32(at.y * dims.tapStepX));
  return at.z < dims.tapsY && y < dims.h && x < dims.w;
}
fn indexOf(spot: Patch, at: vec3u) -> u32 {
  return u32(spot.offset + i32(at.z * dims.tapStrideY + at.y * dims.tapStrideX + at.x));
}
#if ${vector}
fn leftRun(spot: Patch, at: vec3u) -> vec4f {
  if (!inside(spot, at)) { return vec4f(); }
  return vec4f(left[indexOf(spot, at) / 4u]);
}
fn leftBlock(outer: LeftOuter, at: vec3u) -> mat4x4f {
  return transpose(mat4x4f(${four((j) => `leftRun(outer[${j}], at)`)}));
}
#else
${PATCHES_BY_ELEMENT}
${blockByK('left', 'LeftOuter')}
#endif`;
  return { name: 'left', dtype, vector, along: true, code, dims };
}

/** Rows: (tap row, tap column, channel) of the forward convolution. k: its output pixels. */
export function patchesAcross(dtype: DType, g: ConvGeometry): TileOperand {
  const vector = g.c % 4 === 0;
  const { n, h, w, c, kw, oh, ow, strideY, strideX, dilationY, dilationX, padTop, padLeft } = g;
  const dims = { n, h, w, c, kw, oh, ow, strideY, strideX, dilationY, dilationX, padTop, padLeft };
  const code = wgsl`${PATCH}
#if ${vector}
alias LeftOuter = Patch;
fn leftOuter(first: u32) -> LeftOuter { return tapOf(first); }
#else
alias LeftOuter = array<Patch, 4>;
fn leftOuter(first: u32) -> LeftOuter { return LeftOuter(${four((j) => `tapOf(first + ${j}u)`)}); }
#endif
fn tapOf(row: u32) -> Patch {
  let tap = row / dims.c;
  let y = i32((tap / dims.kw) * dims.dilationY) - i32(dims.padTop);
  let x = i32((tap % dims.kw) * dims.dilationX) - i32(dims.padLeft);
  let offset = (y * i32(dims.w) + x) * i32(dims.c) + i32(row - tap * dims.c);
  return Patch(offset, select(OUTSIDE, y, row < dims.rows), x);
}
${odometer('left', 'dims.ow', 'dims.oh')}
fn inside(spot: Patch, at: vec3u) -> bool {
  let y = u32(spot.y + i32(at.y * dims.strideY));
  let x = u32(spot.x + i32(at.x * dims.strideX));
  return at.z < dims.n && y < dims.h && x < dims.w;
}
fn indexOf(spot: Patch, at: vec3u) -> u32 {
  let pixel = (at.z * dims.h + at.y * dims.strideY) * dims.w + at.x * dims.strideX;
  return u32(spot.offset + i32(pixel * dims.c));
}
#if ${vector}
fn leftAcross(spot: Patch, at: vec3u) -> vec4f {
  if (!inside(spot, at)) { return vec4f(); }
  return vec4f(left[indexOf(spot, at) / 4u]);
}
#else
${PATCHES_BY_ELEMENT}
#endif
${blockByK('left', 'LeftOuter')}`;
  return { name: 'left', dtype, vector, along: false, code, dims };
}

/** Columns: the input channels of the weights. k: (tap row, tap column, output channel) of a pass. */
export function weightsAlong(dtype: DType, { image, channels, kw }: Gather, { y, x }: Pass): TileOperand {
  const vector = image.c % 4 === 0;
  const [tapFirstY, tapDeltaY] = progression(y.taps);
  const [tapFirstX, tapDeltaX] = progression(x.taps);
  const dims = { rightOuters: channels, kw, tapFirstY, tapDeltaY, tapFirstX, tapDeltaX };
  const code = wgsl`
alias RightOuter = u32;
fn rightOuter(first: u32) -> u32 { return first; }
${odometer('right', 'dims.c', 'dims.tapsX')}
fn weightIndex(column: u32, at: vec3u) -> u32 {
  let tap = (dims.tapFirstY + at.z * dims.tapDeltaY) * dims.kw + dims.tapFirstX + at.y * dims.tapDeltaX;
  return (tap * dims.rightOuters + column) * dims.c + at.x;
}
#if ${vector}
fn rightRun(column: u32, at: vec3u) -> vec4f {
  if (column >= dims.rightOuters || at.z >= dims.tapsY) { return vec4f(); }
  return vec4f(right[weightIndex(column, at) / 4u]);
}
fn rightBlock(outer: u32, at: vec3u) -> mat4x4f {
  return transpose(mat4x4f(${four((j) => `rightRun(outer + ${j}u, at)`)}));
}
#else
fn rightElement(column: u32, at: vec3u) -> f32 {
  if (column >= dims.rightOuters || at.z >= dims.tapsY) { return 0.0; }
  return f32(right[weightIndex(column, at)]);
}
fn rightAcross(outer: u32, at: vec3u) -> vec4f {
  return vec4f(${four((j) => `rightElement(outer + ${j}u, at)`)});
}
${blockByK('right', 'RightOuter')}
#endif`;
  return { name: 'right', dtype, vector, along: true, code, dims };
}

/** Three digits, the fastest first, for a k that counts through two inner sizes and an outer one without end. */
function odometer(name: TileOperand['name'], inner: string, middle: string): string {
  return `fn ${name}Start(k: u32) -> vec3u {
  let line = k / ${inner};
  return vec3u(k - line * ${inner}, line % ${middle}, line / ${middle});
}
fn ${name}Advance(at: vec3u, by: u32) -> vec3u {
  var next = at;
  next.x += by;
  while (next.x >= ${inner}) {
    next.x -= ${inner};
    next.y++;
    if (next.y == ${middle}) {
      next.y = 0u;
      next.z++;
    }
  }
  return next;
}`;
}

/** A block as four times `Across`: what four outers have at one k. */
function blockByK(name: TileOperand['name'], Outer: string): string {
  return `fn ${name}Block(outer: ${Outer}, at: vec3u) -> mat4x4f {
  let at1 = ${name}Advance(at, 1u);
  let at2 = ${name}Advance(at1, 1u);
  let at3 = ${name}Advance(at2, 1u);
  return mat4x4f(${['at', 'at1', 'at2', 'at3'].map((k) => `${name}Across(outer, ${k})`).join(', ')});
}`;
}

/** First term and difference: the taps that meet one residue class are equally far apart. */
function progression(taps: readonly number[]): [first: number, difference: number] {
  const [first = 0, second = first] = taps;
  return [first, second - first];
}
