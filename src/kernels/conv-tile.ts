import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import type { KernelStep, Operand, Problem, Variant } from '../engine/tensor.js';
import type { ConvGeometry } from './conv-geometry.js';
import { splitSum } from './split-sum.js';
import { type StorageType, storageTypeOf } from './storage-type.js';

/**
 * Convolution as implicit matrix product for GPUs: a workgroup of 256 lanes computes a 64×64 tile, 4×4 a lane, from
 * 16-deep slices that it stages in workgroup memory. "Implicit" because the rows of the left matrix, the patches of the
 * image, are never written down: `left(row, k)` finds each element where it lies.
 */
const TILE = 64;
const DEPTH = 16;
const LANES = 256;

interface Product {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  /** Shares of the depth that are summed separately. */
  readonly splits: number;
  readonly operands: readonly [left: string, right: string];
  /** WGSL `fn left(row: u32, k: u32) -> f32` and `fn right(k: u32, column: u32) -> f32`, called in range only. */
  readonly loaders: string;
  /** Whether neighbouring k, or neighbouring rows, of the left matrix are neighbours in memory. */
  readonly leftContiguous: 'k' | 'row';
}

/** `under(pixel, tap, c)`: the input element under a tap of the kernel laid on an output pixel, or 0 beyond the edge. */
const UNDER_TAP = `
fn under(pixel: u32, tap: u32, c: u32) -> f32 {
  let line = pixel / dims.ow;
  let iy = i32((line % dims.oh) * dims.strideY + (tap / dims.kw) * dims.dilationY) - i32(dims.padTop);
  let ix = i32((pixel % dims.ow) * dims.strideX + (tap % dims.kw) * dims.dilationX) - i32(dims.padLeft);
  if (iy < 0 || iy >= i32(dims.h) || ix < 0 || ix >= i32(dims.w)) { return 0.0; }
  return f32(x[(((line / dims.oh) * dims.h + u32(iy)) * dims.w + u32(ix)) * dims.c + c]);
}`;

export const forward = variant((g) => ({
  rows: g.n * g.oh * g.ow,
  columns: g.o,
  depth: g.kh * g.kw * g.c,
  splits: 1,
  operands: ['x', 'w'],
  leftContiguous: 'k',
  loaders: `${UNDER_TAP}
fn left(row: u32, k: u32) -> f32 { return under(row, k / dims.c, k % dims.c); }
fn right(k: u32, column: u32) -> f32 { return f32(w[k * dims.o + column]); }`,
}));

export const inputGradient = variant((g) => ({
  rows: g.n * g.h * g.w,
  columns: g.c,
  depth: g.kh * g.kw * g.o,
  splits: 1,
  operands: ['dy', 'w'],
  leftContiguous: 'k',
  loaders: `
fn left(row: u32, k: u32) -> f32 {
  let tap = k / dims.o;
  let line = row / dims.w;
  let ty = i32(line % dims.h + dims.padTop) - i32((tap / dims.kw) * dims.dilationY);
  let tx = i32(row % dims.w + dims.padLeft) - i32((tap % dims.kw) * dims.dilationX);
  if (ty < 0 || tx < 0 || u32(ty) % dims.strideY != 0u || u32(tx) % dims.strideX != 0u) { return 0.0; }
  let oy = u32(ty) / dims.strideY;
  let ox = u32(tx) / dims.strideX;
  if (oy >= dims.oh || ox >= dims.ow) { return 0.0; }
  return f32(dy[(((line / dims.h) * dims.oh + oy) * dims.ow + ox) * dims.o + k % dims.o]);
}
fn right(k: u32, column: u32) -> f32 { return f32(w[((k / dims.o) * dims.c + column) * dims.o + k % dims.o]); }`,
}));

export const weightGradient = variant((g) => {
  const rows = g.kh * g.kw * g.c;
  const depth = g.n * g.oh * g.ow;
  const tiles = Math.ceil(rows / TILE) * Math.ceil(g.o / TILE);
  return {
    rows,
    columns: g.o,
    depth,
    splits: Math.max(1, Math.min(Math.ceil(512 / tiles), Math.ceil(depth / 256))),
    operands: ['x', 'dy'],
    leftContiguous: 'row',
    loaders: `${UNDER_TAP}
fn left(row: u32, k: u32) -> f32 { return under(k, row / dims.c, row % dims.c); }
fn right(k: u32, column: u32) -> f32 { return f32(dy[k * dims.o + column]); }`,
  };
});

function variant(product: (g: ConvGeometry) => Product): Variant<ConvGeometry> {
  return {
    name: 'tile',
    unfit({ attributes: g }, traits) {
      if (g.groups !== 1) return 'groups share no tile';
      if (traits.maxInvocations < LANES) return `needs ${LANES} invocations a workgroup`;
      const { rows, columns, splits } = product(g);
      const most = Math.max(Math.ceil(rows / TILE), Math.ceil(columns / TILE), splits);
      return most > traits.maxWorkgroups ? 'more tiles than workgroups' : undefined;
    },
    // Barriers and workgroup memory cost a software adapter more than they save.
    rank: (_, traits) => (traits.kind === 'gpu' ? 10 : 200),
    build({ inputs, outputs, attributes: g }, traits) {
      const own = product(g);
      const { rows, columns, splits } = own;
      return splitSum({ splits, elements: rows * columns, traits }, (target) =>
        tileStep(g, own, { inputs, outputs, target }),
      );
    },
  };
}

function tileStep(
  g: ConvGeometry,
  product: Product,
  { inputs, outputs, target }: Pick<Problem, 'inputs' | 'outputs'> & { readonly target: Operand },
): KernelStep {
  const type = storageTypeOf(outputs, 0, 1);
  const { rows, columns, depth, splits, operands } = product;
  const share = Math.ceil(depth / splits / DEPTH) * DEPTH;
  return {
    kind: 'dispatch',
    bindings: [
      {
        name: operands[0],
        operand: { kind: 'input', index: 0 },
        access: 'read',
        type: storageTypeOf(inputs, 0, 1),
      },
      {
        name: operands[1],
        operand: { kind: 'input', index: 1 },
        access: 'read',
        type: storageTypeOf(inputs, 1, 1),
      },
      { name: 'result', operand: target, access: 'read_write', type },
    ],
    workgroups: [Math.ceil(rows / TILE), Math.ceil(columns / TILE), splits],
    dims: { ...g, rows, columns, depth, share },
    code: tileCode(product, type),
  };
}

/** Lanes load neighbouring elements of the left matrix together: along k, or along its rows. */
function tileCode({ loaders, leftContiguous }: Product, stored: StorageType): string {
  return wgsl`${loaders}
var<workgroup> lefts: array<f32, ${DEPTH * TILE}>;
var<workgroup> rights: array<f32, ${DEPTH * TILE}>;
fn left4(i: u32) -> vec4f { return vec4f(lefts[i], lefts[i + 1u], lefts[i + 2u], lefts[i + 3u]); }
fn right4(i: u32) -> vec4f { return vec4f(rights[i], rights[i + 1u], rights[i + 2u], rights[i + 3u]); }
@compute @workgroup_size(${LANES}) fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row0 = group.x * ${TILE}u;
  let column0 = group.y * ${TILE}u;
  let ty = lane / 16u;
  let tx = lane % 16u;
  let end = min((group.z + 1u) * dims.share, dims.depth);
  var c0 = vec4f(); var c1 = vec4f(); var c2 = vec4f(); var c3 = vec4f();
  for (var k0 = group.z * dims.share; k0 < end; k0 += ${DEPTH}u) {
    for (var i = 0u; i < ${(TILE * DEPTH) / LANES}u; i++) {
#if ${leftContiguous === 'k'}
      let kl = lane % ${DEPTH}u;
      let rl = lane / ${DEPTH}u + i * ${LANES / DEPTH}u;
#else
      let kl = lane / ${TILE}u + i * ${LANES / TILE}u;
      let rl = lane % ${TILE}u;
#endif
      var a = 0.0;
      if (k0 + kl < end && row0 + rl < dims.rows) { a = left(row0 + rl, k0 + kl); }
      lefts[kl * ${TILE}u + rl] = a;
      let kr = lane / ${TILE}u + i * ${LANES / TILE}u;
      let cr = lane % ${TILE}u;
      var b = 0.0;
      if (k0 + kr < end && column0 + cr < dims.columns) { b = right(k0 + kr, column0 + cr); }
      rights[kr * ${TILE}u + cr] = b;
    }
    workgroupBarrier();
    for (var k = 0u; k < ${DEPTH}u; k++) {
      let a = left4(k * ${TILE}u + ty * 4u);
      let b = right4(k * ${TILE}u + tx * 4u);
      c0 = fma(vec4f(a.x), b, c0);
      c1 = fma(vec4f(a.y), b, c1);
      c2 = fma(vec4f(a.z), b, c2);
      c3 = fma(vec4f(a.w), b, c3);
    }
    workgroupBarrier();
  }
  let tile = array<vec4f, 4>(c0, c1, c2, c3);
  for (var i = 0u; i < 4u; i++) {
    let row = row0 + ty * 4u + i;
    for (var j = 0u; j < 4u; j++) {
      let column = column0 + tx * 4u + j;
      if (row < dims.rows && column < dims.columns) {
        result[(group.z * dims.rows + row) * dims.columns + column] = ${stored}(tile[i][j]);
      }
    }
  }
}`;
}
