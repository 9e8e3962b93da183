import type { DeviceTraits, Kernel, KernelStep, Operand, Variant } from '../engine/tensor.js';
import type { ConvGeometry } from './conv-geometry.js';
import { splitSum } from './split-sum.js';

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
  readonly operands: readonly [string, string];
  readonly result: string;
  /** WGSL `fn left(row: u32, k: u32) -> f32` and `fn right(k: u32, column: u32) -> f32`, called in range only. */
  readonly loaders: string;
  /** Neighbouring lanes load neighbouring k (or rows) of the left matrix: whichever is contiguous. */
  readonly leftContiguous: 'k' | 'row';
}

export const forward = variant((g) => ({
  rows: g.n * g.oh * g.ow,
  columns: g.o,
  depth: g.kh * g.kw * g.c,
  splits: 1,
  operands: ['x', 'w'],
  result: 'y',
  leftContiguous: 'k',
  loaders: `
fn left(row: u32, k: u32) -> f32 {
  let tap = k / ${g.c}u;
  let iy = i32(((row / ${g.ow}u) % ${g.oh}u) * ${g.strideY}u + (tap / ${g.kw}u) * ${g.dilationY}u) - ${g.padTop};
  let ix = i32((row % ${g.ow}u) * ${g.strideX}u + (tap % ${g.kw}u) * ${g.dilationX}u) - ${g.padLeft};
  if (iy < 0 || iy >= ${g.h} || ix < 0 || ix >= ${g.w}) { return 0.0; }
  return x[(((row / ${g.ow * g.oh}u) * ${g.h}u + u32(iy)) * ${g.w}u + u32(ix)) * ${g.c}u + k % ${g.c}u];
}
fn right(k: u32, column: u32) -> f32 { return w[k * ${g.o}u + column]; }`,
}));

export const inputGradient = variant((g) => ({
  rows: g.n * g.h * g.w,
  columns: g.c,
  depth: g.kh * g.kw * g.o,
  splits: 1,
  operands: ['dy', 'w'],
  result: 'dx',
  leftContiguous: 'k',
  loaders: `
fn left(row: u32, k: u32) -> f32 {
  let tap = k / ${g.o}u;
  let ty = i32((row / ${g.w}u) % ${g.h}u) + ${g.padTop} - i32((tap / ${g.kw}u) * ${g.dilationY}u);
  let tx = i32(row % ${g.w}u) + ${g.padLeft} - i32((tap % ${g.kw}u) * ${g.dilationX}u);
  if (ty < 0 || tx < 0 || ty % ${g.strideY} != 0 || tx % ${g.strideX} != 0) { return 0.0; }
  let oy = u32(ty / ${g.strideY});
  let ox = u32(tx / ${g.strideX});
  if (oy >= ${g.oh}u || ox >= ${g.ow}u) { return 0.0; }
  return dy[(((row / ${g.w * g.h}u) * ${g.oh}u + oy) * ${g.ow}u + ox) * ${g.o}u + k % ${g.o}u];
}
fn right(k: u32, column: u32) -> f32 { return w[((k / ${g.o}u) * ${g.c}u + column) * ${g.o}u + k % ${g.o}u]; }`,
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
    result: 'dw',
    leftContiguous: 'row',
    loaders: `
fn left(row: u32, k: u32) -> f32 {
  let tap = row / ${g.c}u;
  let iy = i32(((k / ${g.ow}u) % ${g.oh}u) * ${g.strideY}u + (tap / ${g.kw}u) * ${g.dilationY}u) - ${g.padTop};
  let ix = i32((k % ${g.ow}u) * ${g.strideX}u + (tap % ${g.kw}u) * ${g.dilationX}u) - ${g.padLeft};
  if (iy < 0 || iy >= ${g.h} || ix < 0 || ix >= ${g.w}) { return 0.0; }
  return x[(((k / ${g.ow * g.oh}u) * ${g.h}u + u32(iy)) * ${g.w}u + u32(ix)) * ${g.c}u + row % ${g.c}u];
}
fn right(k: u32, column: u32) -> f32 { return dy[k * ${g.o}u + column]; }`,
  };
});

function variant(product: (g: ConvGeometry) => Product): Variant<ConvGeometry> {
  return {
    name: 'tile',
    unfit({ attributes: g }, traits) {
      if (g.groups !== 1) return 'groups share no tile';
      if (traits.maxInvocations < LANES) return `needs ${LANES} invocations a workgroup`;
      const { rows, columns, splits } = product(g);
      return Math.ceil(rows / TILE) > traits.maxWorkgroups ||
        Math.ceil(columns / TILE) > traits.maxWorkgroups ||
        splits > traits.maxWorkgroups
        ? 'more tiles than workgroups'
        : undefined;
    },
    // Barriers and workgroup memory cost a software adapter more than they save.
    rank: (_, traits) => (traits.kind === 'gpu' ? 10 : 200),
    build: ({ attributes }, traits) => buildTiles(product(attributes), traits),
  };
}

function buildTiles(product: Product, traits: DeviceTraits): Kernel {
  const { rows, columns, splits } = product;
  return splitSum({ splits, elements: rows * columns, traits }, (target) => tileStep(product, target));
}

function tileStep(product: Product, target: Operand): KernelStep {
  const { rows, columns, depth, splits, operands, result, loaders, leftContiguous } = product;
  const share = Math.ceil(depth / splits / DEPTH) * DEPTH;
  const fast = leftContiguous === 'k' ? DEPTH : TILE;
  const slow = LANES / fast;
  const loads = (TILE * DEPTH) / LANES;
  const [kOfLoad, rowOfLoad] =
    leftContiguous === 'k'
      ? [`lane % ${fast}u`, `lane / ${fast}u + i * ${slow}u`]
      : [`lane / ${fast}u + i * ${slow}u`, `lane % ${fast}u`];
  return {
    kind: 'dispatch',
    bindings: [
      { name: operands[0], operand: { kind: 'input', index: 0 }, access: 'read', type: 'f32' },
      { name: operands[1], operand: { kind: 'input', index: 1 }, access: 'read', type: 'f32' },
      { name: result, operand: target, access: 'read_write', type: 'f32' },
    ],
    workgroups: [Math.ceil(rows / TILE), Math.ceil(columns / TILE), splits],
    code: `${loaders}
var<workgroup> lefts: array<f32, ${DEPTH * TILE}>;
var<workgroup> rights: array<f32, ${DEPTH * TILE}>;
fn left4(i: u32) -> vec4f { return vec4f(lefts[i], lefts[i + 1u], lefts[i + 2u], lefts[i + 3u]); }
fn right4(i: u32) -> vec4f { return vec4f(rights[i], rights[i + 1u], rights[i + 2u], rights[i + 3u]); }
@compute @workgroup_size(${LANES}) fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row0 = group.x * ${TILE}u;
  let column0 = group.y * ${TILE}u;
  let ty = lane / 16u;
  let tx = lane % 16u;
  let end = min((group.z + 1u) * ${share}u, ${depth}u);
  var c0 = vec4f(); var c1 = vec4f(); var c2 = vec4f(); var c3 = vec4f();
  for (var k0 = group.z * ${share}u; k0 < end; k0 += ${DEPTH}u) {
    for (var i = 0u; i < ${loads}u; i++) {
      let kl = ${kOfLoad};
      let rl = ${rowOfLoad};
      var a = 0.0;
      if (k0 + kl < end && row0 + rl < ${rows}u) { a = left(row0 + rl, k0 + kl); }
      lefts[kl * ${TILE}u + rl] = a;
      let kr = lane / ${TILE}u + i * ${LANES / TILE}u;
      let cr = lane % ${TILE}u;
      var b = 0.0;
      if (k0 + kr < end && column0 + cr < ${columns}u) { b = right(k0 + kr, column0 + cr); }
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
  let out = array<vec4f, 4>(c0, c1, c2, c3);
  for (var i = 0u; i < 4u; i++) {
    let row = row0 + ty * 4u + i;
    for (var j = 0u; j < 4u; j++) {
      let column = column0 + tx * 4u + j;
      if (row < ${rows}u && column < ${columns}u) {
        ${result}[(group.z * ${rows}u + row) * ${columns}u + column] = out[i][j];
      }
    }
  }
}`,
  };
}
