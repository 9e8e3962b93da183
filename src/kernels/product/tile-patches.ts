import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import type { DType } from '../../engine/graph/tensor.js';
import type { Gather, TapAxis } from '../conv/conv-gather.js';
import type { ConvGeometry } from '../conv/conv-geometry.js';
import { four, type TileOperand } from './tile-operand.js';

/**
 * The operands of a convolution that are no matrices in memory: patches of an image, with pixels or with taps as the
 * rows, and the weights of those taps that a pass of an input gradient meets (see conv-gather.ts).
 */

export interface Pass {
  readonly y: TapAxis;
  readonly x: TapAxis;
}

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
  };
  const code = wgsl`${SPOTS}
${loadAt(vector)}
fn pixelSpot(row: u32) -> Spot {
  let line = row / dims.countX;
  let n = line / dims.countY;
  let y = i32((line - n * dims.countY) * dims.advanceY + dims.originY);
  let x = i32((row - line * dims.countX) * dims.advanceX + dims.originX);
  let offset = ((i32(n * dims.h) + y) * i32(dims.w) + x) * i32(dims.c);
  return Spot(offset, select(OUTSIDE, y, row < dims.rows), x);
}
alias LeftOuter = array<Spot, 4>;
fn leftOuter(first: u32) -> LeftOuter { return LeftOuter(${four((j) => `pixelSpot(first + ${j}u)`)}); }
${odometer('left', 'dims.c', 'dims.tapsX')}
fn tapSpot(at: vec3u) -> Spot {
  let y = i32(at.z * dims.tapStepY);
  let x = i32(at.y * dims.tapStepX);
  return Spot((y * i32(dims.w) + x) * i32(dims.c) + i32(at.x), select(OUTSIDE, y, at.z < dims.tapsY), x);
}
#if ${vector}
fn leftBlock(outer: LeftOuter, at: vec3u) -> mat4x4f {
  let tap = tapSpot(at);
  return transpose(mat4x4f(${four((j) => `fourAt(outer[${j}], tap)`)}));
}
#else
fn leftAcross(outer: LeftOuter, at: vec3u) -> vec4f {
  let tap = tapSpot(at);
  return vec4f(${four((j) => `elementAt(outer[${j}], tap)`)});
}
${blockByK('left', 'LeftOuter')}
#endif`;
  return { name: 'left', dtype, vector, along: true, code, dims };
}

/** Rows: (tap row, tap column, channel) of the forward convolution. k: its output pixels. */
export function patchesAcross(dtype: DType, g: ConvGeometry): TileOperand {
  const vector = g.c % 4 === 0;
  const { n, h, w, c, kw, oh, ow, strideY, strideX, dilationY, dilationX, padTop, padLeft } = g;
  const dims = { n, h, w, c, kw, oh, ow, strideY, strideX, dilationY, dilationX, padTop, padLeft };
  const code = wgsl`${SPOTS}
${loadAt(vector)}
fn tapSpot(row: u32) -> Spot {
  let tap = row / dims.c;
  let y = i32((tap / dims.kw) * dims.dilationY) - i32(dims.padTop);
  let x = i32((tap % dims.kw) * dims.dilationX) - i32(dims.padLeft);
  let offset = (y * i32(dims.w) + x) * i32(dims.c) + i32(row - tap * dims.c);
  return Spot(offset, select(OUTSIDE, y, row < dims.rows), x);
}
${odometer('left', 'dims.ow', 'dims.oh')}
fn pixelSpot(at: vec3u) -> Spot {
  let y = i32(at.y * dims.strideY);
  let x = i32(at.x * dims.strideX);
  let offset = ((i32(at.z * dims.h) + y) * i32(dims.w) + x) * i32(dims.c);
  return Spot(offset, select(OUTSIDE, y, at.z < dims.n), x);
}
#if ${vector}
alias LeftOuter = Spot;
fn leftOuter(first: u32) -> LeftOuter { return tapSpot(first); }
fn leftAcross(outer: LeftOuter, at: vec3u) -> vec4f { return fourAt(outer, pixelSpot(at)); }
#else
alias LeftOuter = array<Spot, 4>;
fn leftOuter(first: u32) -> LeftOuter { return LeftOuter(${four((j) => `tapSpot(first + ${j}u)`)}); }
fn leftAcross(outer: LeftOuter, at: vec3u) -> vec4f {
  let pixel = pixelSpot(at);
  return vec4f(${four((j) => `elementAt(outer[${j}], pixel)`)});
}
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
/** Where the weights of column 0 lie. */
fn weightsOf(at: vec3u) -> u32 {
  let tap = (dims.tapFirstY + at.z * dims.tapDeltaY) * dims.kw + dims.tapFirstX + at.y * dims.tapDeltaX;
  return tap * dims.rightOuters * dims.c + at.x;
}
#if ${vector}
fn rightRun(column: u32, first: u32, within: bool) -> vec4f {
  let exists = within && column < dims.rightOuters;
  return select(vec4f(), vec4f(right[select(0u, (first + column * dims.c) / 4u, exists)]), exists);
}
fn rightBlock(outer: u32, at: vec3u) -> mat4x4f {
  let first = weightsOf(at);
  let within = at.z < dims.tapsY;
  return transpose(mat4x4f(${four((j) => `rightRun(outer + ${j}u, first, within)`)}));
}
#else
fn rightElement(column: u32, first: u32, within: bool) -> f32 {
  let exists = within && column < dims.rightOuters;
  return select(0.0, f32(right[select(0u, first + column * dims.c, exists)]), exists);
}
fn rightAcross(outer: u32, at: vec3u) -> vec4f {
  let first = weightsOf(at);
  let within = at.z < dims.tapsY;
  return vec4f(${four((j) => `rightElement(outer + ${j}u, first, within)`)});
}
${blockByK('right', 'RightOuter')}
#endif`;
  return { name: 'right', dtype, vector, along: true, code, dims };
}

/**
 * An element of a patch lies where a pixel and a tap meet: offsets and positions of both add up. A pixel or tap that
 * does not exist lies so far outside that no sum comes back.
 */
const SPOTS = `
struct Spot { offset: i32, y: i32, x: i32 }
const OUTSIDE = -0x20000000;
fn inside(a: Spot, b: Spot) -> bool { return u32(a.y + b.y) < dims.h && u32(a.x + b.x) < dims.w; }`;

/** The four elements from where two spots meet, or the one: only the first type-checks where the operand is bound as vectors. */
function loadAt(vector: boolean): string {
  const [T, zero, name, index] = vector
    ? ['vec4f', 'vec4f()', 'fourAt', 'u32(a.offset + b.offset) / 4u']
    : ['f32', '0.0', 'elementAt', 'u32(a.offset + b.offset)'];
  return `fn ${name}(a: Spot, b: Spot) -> ${T} {
  let exists = inside(a, b);
  return select(${zero}, ${T}(left[select(0u, ${index}, exists)]), exists);
}`;
}

/** Three digits, the fastest first, for a k that counts through two inner sizes and an outer one without end. */
function odometer(name: TileOperand['name'], inner: string, middle: string): string {
  return `fn ${name}Start(k: u32) -> vec3u {
  let line = k / ${inner};
  return vec3u(k - line * ${inner}, line % ${middle}, line / ${middle});
}
fn ${name}Advance(at: vec3u, by: u32) -> vec3u {
  let inner = at.x + by;
  if (inner < ${inner}) { return vec3u(inner, at.yz); }
  let carry = inner / ${inner};
  let middle = at.y + carry;
  return vec3u(inner - carry * ${inner}, middle % ${middle}, at.z + middle / ${middle});
}
fn ${name}Next(at: vec3u) -> vec3u {
  let carry = at.x + 1u == ${inner};
  let next = select(vec3u(at.x + 1u, at.yz), vec3u(0u, at.y + 1u, at.z), carry);
  return select(next, vec3u(next.x, 0u, next.z + 1u), next.y == ${middle});
}`;
}

/** A block as four calls of `Across`, which gives the elements of four outers at one k. */
function blockByK(name: TileOperand['name'], Outer: string): string {
  return `fn ${name}Block(outer: ${Outer}, at: vec3u) -> mat4x4f {
  let at1 = ${name}Next(at);
  let at2 = ${name}Next(at1);
  let at3 = ${name}Next(at2);
  return mat4x4f(${['at', 'at1', 'at2', 'at3'].map((k) => `${name}Across(outer, ${k})`).join(', ')});
}`;
}

/** First term and difference: the taps that meet one residue class are equally far apart. */
function progression(taps: readonly number[]): [first: number, difference: number] {
  const [first = 0, second = first] = taps;
  return [first, second - first];
}
