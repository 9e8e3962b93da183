import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { at, type DType } from '../../engine/graph/tensor.js';
import type { Gather, TapAxis } from '../conv/conv-gather.js';
import type { ConvGeometry } from '../conv/conv-geometry.js';
import {
  denseRuns,
  four,
  inUnits,
  outerOf,
  runCode,
  runsOf,
  runType,
  type TileOperand,
  type Walk,
} from './tile-operand.js';

/**
 * The operands of a convolution that are no matrices in memory: patches of an image, with pixels or with taps as the
 * rows, and the weights of those taps that a pass of an input gradient meets (see conv-gather.ts).
 */

export interface Pass {
  readonly y: TapAxis;
  readonly x: TapAxis;
}

/** The sizes of a pass that the operands below read from `part`, and the store of a scattered result, too. */
export function passSizes({ image }: Gather, { y, x }: Pass): Readonly<Record<string, number>> {
  return {
    firstY: y.first,
    firstX: x.first,
    countY: y.count,
    countX: x.count,
    // In pixels of the image itself, without its border. Negative ones wrap around, and back in the kernel.
    originY: y.origin - image.top,
    originX: x.origin - image.left,
    tapsY: y.taps.length,
    tapsX: Math.max(1, x.taps.length),
    tapFirstY: y.taps[0] ?? 0,
    tapFirstX: x.taps[0] ?? 0,
  };
}

/** From a tap to the next: pixels of the image, and of the kernel. All passes with several taps agree. */
function tapSteps({ passes }: Gather): Readonly<Record<string, number>> {
  const { y, x } = at(passes, 0);
  const several = (axis: 'y' | 'x') =>
    passes.map((pass) => pass[axis]).find(({ taps }) => taps.length > 1) ?? (axis === 'y' ? y : x);
  const delta = ({ taps: [first = 0, second = first] }: TapAxis) => second - first;
  const [longY, longX] = [several('y'), several('x')];
  return {
    tapStepY: longY.tapStep,
    tapStepX: longX.tapStep,
    tapDeltaY: delta(longY),
    tapDeltaX: delta(longX),
    advanceY: y.advance,
    advanceX: x.advance,
  };
}

/** Rows: the output pixels of a pass. k: (tap row, tap column, channel). */
export function patchesAlong(dtype: DType, gather: Gather, slice: number): TileOperand {
  const { h, w, c } = gather.image;
  const vector = c % 4 === 0;
  const dims = { h, w, c, ...tapSteps(gather) };
  const even = c % slice === 0;
  const channels = inUnits(vector, 'dims.c');
  const Run = runType({ dtype, vector });
  const pixelSpot = (declaration: string, offset: string) => `fn ${declaration} -> Spot {
  let line = row / part.countX;
  let n = line / part.countY;
  let y = i32((line - n * part.countY) * dims.advanceY + part.originY);
  let x = i32((row - line * part.countX) * dims.advanceX + part.originX);
  let offset = ((i32(n * dims.h) + y) * i32(dims.w) + x) * ${offset};
  return Spot(offset, select(OUTSIDE, y, row < part.rows), x);
}`;
  const code = wgsl`${SPOTS}
${pixelSpot('pixelSpot(row: u32, deep: u32)', `i32(${channels}) + i32(${even ? inUnits(vector, 'deep') : '0u'})`)}
alias LeftOuter = array<Spot, 4>;
fn leftOuter(first: u32, deep: u32) -> LeftOuter {
  return LeftOuter(${four((j) => `pixelSpot(first + ${j}u, deep)`)});
}
${odometer('left', 'dims.c', 'part.tapsX', even)}
fn tapSpot(at: vec3u, on: bool) -> Spot {
  let y = i32(at.z * dims.tapStepY);
  let x = i32(at.y * dims.tapStepX);
  let offset = (y * i32(dims.w) + x) * i32(${channels}) + i32(${inUnits(vector, 'at.x')});
  return Spot(offset, select(OUTSIDE, y, on && at.z < part.tapsY), x);
}
#if ${vector}
fn leftLoad(outer: LeftOuter, at: vec3u, on: bool) -> LeftRuns {
  let tap = tapSpot(at, on);
  return LeftRuns(${four((j) => `leftRun(placeAt(outer[${j}], tap))`)});
}
#else
fn leftAcross(outer: LeftOuter, at: vec3u, on: bool) -> ${Run} {
  let tap = tapSpot(at, on);
  return leftRun(${four((j) => `placeAt(outer[${j}], tap)`)});
}
${loadByK('left')}
#endif
${runCode({ name: 'left', dtype, vector }, vector)}`;
  // A pass of one tap has steps of 0: whatever else does not meet it.
  const tapX = 'max(1u, dims.tapStepX)';
  const tapY = 'max(1u, dims.tapStepY)';
  const walk: Walk = {
    run: c,
    inner: c,
    spot: `${SPOTS}\n${pixelSpot('leftSpot(row: u32)', 'i32(dims.c)')}`,
    digits: [
      { count: 'dims.c', stride: '1u' },
      { count: 'part.tapsX', stride: `${tapX} * dims.c`, axis: 'x', unit: tapX },
      { count: 'part.tapsY', stride: `${tapY} * dims.w * dims.c`, axis: 'y', unit: tapY },
    ],
    base: '0u',
  };
  return { name: 'left', dtype, vector, along: true, code, walk, dims };
}

/**
 * Rows: (tap row, tap column, channel) of the forward convolution. k: its output pixels. The place along k is that of a pixel
 * on the image under tap (0, 0), without padding: x, y and offset. It moves on by adding and carrying.
 */
export function patchesAcross(dtype: DType, g: ConvGeometry, slice: number): TileOperand {
  const vector = g.c % 4 === 0;
  const { n, h, w, c, kw, oh, ow, strideY, strideX, dilationY, dilationX, padTop, padLeft } = g;
  const units = vector ? c / 4 : c;
  const offset = (images: number, y: number, x: number) => ((images * h + y) * w + x) * units;
  const lines = Math.floor(slice / ow);
  const dims = {
    ...{ n, h, w, c, kw, oh, ow, strideY, strideX, dilationY, dilationX, padTop, padLeft },
    end: offset(n, 0, 0),
    wrapY: oh * strideY,
    wrapX: ow * strideX,
    // What the offset grows by, besides, where x or y begins anew.
    carryX: offset(0, strideY, -ow * strideX),
    carryY: offset(1, -oh * strideY, 0),
    pixelOffset: offset(0, 0, strideX),
    sliceY: (lines % oh) * strideY,
    sliceX: (slice % ow) * strideX,
    sliceOffset: offset(Math.floor(lines / oh), (lines % oh) * strideY, (slice % ow) * strideX),
  };
  const channels = inUnits(vector, 'dims.c');
  // With a border, pixels of the last image may lie behind its end in memory, though some of their taps do not.
  const behind = (oh - 1) * strideY * w + (ow - 1) * strideX >= h * w;
  const end = behind ? `dims.end + (at.y * dims.w + at.x) * ${channels}` : 'dims.end';
  const exists = (n * oh * ow) % slice === 0 ? 'on' : `on && at.z < ${end}`;
  const Run = runType({ dtype, vector });
  const tapSpot = (name: string, whole: boolean) => `fn ${name}(row: u32) -> Spot {
  let tap = row / dims.c;
  let y = i32((tap / dims.kw) * dims.dilationY) - i32(dims.padTop);
  let x = i32((tap % dims.kw) * dims.dilationX) - i32(dims.padLeft);
  let offset = (y * i32(dims.w) + x) * i32(${inUnits(whole, 'dims.c')}) + i32(${inUnits(whole, '(row - tap * dims.c)')});
  return Spot(offset, select(OUTSIDE, y, row < part.rows), x);
}`;
  const code = wgsl`${SPOTS}
${tapSpot('tapSpot', vector)}
fn leftStart(first: u32, deep: u32) -> vec3u {
  let k = first + deep;
  let line = k / dims.ow;
  let image = line / dims.oh;
  let y = (line - image * dims.oh) * dims.strideY;
  let x = (k - line * dims.ow) * dims.strideX;
  return vec3u(x, y, ((image * dims.h + y) * dims.w + x) * ${channels});
}
fn leftPlus(at: vec3u, x: u32, y: u32, offset: u32) -> vec3u {
  let sumX = at.x + x;
  let beyondX = sumX >= dims.wrapX;
  let sumY = at.y + y + select(0u, dims.strideY, beyondX);
  let beyondY = sumY >= dims.wrapY;
  let carried = select(0u, dims.carryX, beyondX) + select(0u, dims.carryY, beyondY);
  return vec3u(
    select(sumX, sumX - dims.wrapX, beyondX),
    select(sumY, sumY - dims.wrapY, beyondY),
    at.z + offset + carried,
  );
}
fn leftAdvance(at: vec3u, by: u32) -> vec3u { return leftPlus(at, dims.sliceX, dims.sliceY, dims.sliceOffset); }
fn leftNext(at: vec3u) -> vec3u { return leftPlus(at, dims.strideX, 0u, dims.pixelOffset); }
fn pixelSpot(at: vec3u, on: bool) -> Spot { return Spot(i32(at.z), select(OUTSIDE, i32(at.y), ${exists}), i32(at.x)); }
#if ${vector}
alias LeftOuter = Spot;
fn leftOuter(first: u32, deep: u32) -> LeftOuter { return tapSpot(first); }
fn leftAcross(outer: LeftOuter, at: vec3u, on: bool) -> ${Run} { return leftRun(placeAt(outer, pixelSpot(at, on))); }
#else
alias LeftOuter = array<Spot, 4>;
fn leftOuter(first: u32, deep: u32) -> LeftOuter { return LeftOuter(${four((j) => `tapSpot(first + ${j}u)`)}); }
fn leftAcross(outer: LeftOuter, at: vec3u, on: bool) -> ${Run} {
  let pixel = pixelSpot(at, on);
  return leftRun(${four((j) => `placeAt(outer[${j}], pixel)`)});
}
#endif
${loadByK('left')}
${runCode({ name: 'left', dtype, vector }, false)}`;
  const walk: Walk = {
    run: c,
    inner: ow,
    spot: `${SPOTS}\n${tapSpot('leftSpot', false)}`,
    digits: [
      { count: 'dims.ow', stride: 'dims.strideX * dims.c', axis: 'x', unit: 'dims.strideX' },
      { count: 'dims.oh', stride: 'dims.strideY * dims.w * dims.c', axis: 'y', unit: 'dims.strideY' },
      { count: 'dims.n', stride: 'dims.h * dims.w * dims.c' },
    ],
    base: '0u',
  };
  return { name: 'left', dtype, vector, along: false, code, walk, dims };
}

/** Columns: the input channels of the weights. k: (tap row, tap column, output channel) of a pass. */
export function weightsAlong(dtype: DType, gather: Gather, slice: number): TileOperand {
  const { image, channels, kw } = gather;
  const vector = image.c % 4 === 0;
  const dims = { rightOuters: channels, kw, ...tapSteps(gather) };
  const even = image.c % slice === 0;
  const code = wgsl`
${odometer('right', 'dims.c', 'part.tapsX', even)}
/** Where the weights of column 0 lie. */
fn weightsOf(at: vec3u) -> u32 {
  let tap = (part.tapFirstY + at.z * dims.tapDeltaY) * dims.kw + part.tapFirstX + at.y * dims.tapDeltaX;
  return ${inUnits(vector, '(tap * dims.rightOuters * dims.c + at.x)')};
}
#if ${vector}
${denseRuns({ name: 'right', vector, along: true, stride: 'dims.c', inner: undefined, deep: even })}
fn rightLoad(outer: RightOuter, at: vec3u, on: bool) -> RightRuns {
  return rightRuns(outer, at.x, weightsOf(at), on && at.z < part.tapsY);
}
#else
alias RightOuter = u32;
fn rightOuter(first: u32, deep: u32) -> RightOuter { return first; }
fn rightPlace(column: u32, first: u32, within: bool) -> Place {
  return placeIf(within && column < dims.rightOuters, first + column * dims.c);
}
fn rightAcross(outer: u32, at: vec3u, on: bool) -> ${runType({ dtype, vector })} {
  let first = weightsOf(at);
  let within = on && at.z < part.tapsY;
  return rightRun(${four((j) => `rightPlace(outer + ${j}u, first, within)`)});
}
${loadByK('right')}
#endif
${runCode({ name: 'right', dtype, vector }, vector)}`;
  const tap = 'dims.rightOuters * dims.c';
  const walk: Walk = {
    run: image.c,
    inner: image.c,
    outer: { offset: 'outer * dims.c', exists: 'outer < dims.rightOuters' },
    digits: [
      { count: 'dims.c', stride: '1u' },
      { count: 'part.tapsX', stride: `dims.tapDeltaX * ${tap}` },
      { count: 'part.tapsY', stride: `dims.tapDeltaY * dims.kw * ${tap}` },
    ],
    base: `(part.tapFirstY * dims.kw + part.tapFirstX) * ${tap}`,
  };
  return { name: 'right', dtype, vector, along: true, code, walk, dims };
}

/**
 * An element of a patch lies where a pixel and a tap meet: offsets and positions of both add up. A pixel or tap that
 * does not exist lies so far outside that no sum comes back.
 */
const SPOTS = `
struct Spot { offset: i32, y: i32, x: i32 }
const OUTSIDE = -0x20000000;
fn placeAt(a: Spot, b: Spot) -> Place {
  return placeIf(u32(a.y + b.y) < dims.h && u32(a.x + b.x) < dims.w, u32(a.offset + b.offset));
}`;

/**
 * Three digits, the fastest first, for a k that counts through two inner sizes and an outer one without end.
 * @param even the innermost size is a multiple of a slice: the digits are the same for all blocks of one, but for `deep`
 */
function odometer(name: TileOperand['name'], inner: string, middle: string, even: boolean): string {
  return `fn ${name}Start(first: u32, deep: u32) -> vec3u {
  let k = first${even ? '' : ' + deep'};
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

/** A load as four calls of `Across`, which gives the elements of four outers at one k. */
function loadByK(name: TileOperand['name']): string {
  return `fn ${name}Load(outer: ${outerOf(name)}, at: vec3u, on: bool) -> ${runsOf(name)} {
  let at1 = ${name}Next(at);
  let at2 = ${name}Next(at1);
  let at3 = ${name}Next(at2);
  return ${runsOf(name)}(${['at', 'at1', 'at2', 'at3'].map((k) => `${name}Across(outer, ${k}, on)`).join(', ')});
}`;
}
