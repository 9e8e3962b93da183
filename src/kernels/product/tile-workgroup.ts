import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import type { DType } from '../../engine/graph/tensor.js';
import type { TileKernel, TileShape } from './tile-kernel.js';
import type { TileOperand } from './tile-operand.js';

/**
 * Tiles in workgroup memory: the lanes of a workgroup stage a slice of both operands, one block of four by four each,
 * and every lane computes its part of the tile from it. While they do, the next slice is on its way into registers.
 */
export const tile64: TileKernel = workgroupTile('tile64', {
  side: 64,
  lanes: 128,
  columnsPerLane: 4,
  speed: 0.8,
});
export const tile128: TileKernel = workgroupTile('tile128', {
  side: 128,
  lanes: 256,
  columnsPerLane: 8,
  speed: 1,
});

/** Rows of a lane, in two groups of four that lie half a tile apart: neighbouring lanes then read neighbouring words. */
const ROWS_PER_LANE = 8;
const SLICE = 16;

function workgroupTile(
  name: string,
  {
    side,
    lanes,
    columnsPerLane,
    speed,
  }: { side: number; lanes: number; columnsPerLane: number; speed: number },
): TileKernel {
  return {
    name,
    unfit({ left, right }, traits) {
      if (traits.maxInvocations < lanes) return `needs ${lanes} invocations a workgroup`;
      const bytes = SLICE * pitchOf(side) * (vectorBytes(left.dtype) + vectorBytes(right.dtype));
      return traits.maxWorkgroupBytes < bytes ? `needs ${bytes} bytes of workgroup memory` : undefined;
    },
    shape: () => ({ rows: side, columns: side, slice: SLICE, lanes, speed }),
    code: ({ left, right }, shape) => tileCode(left, right, shape, columnsPerLane),
  };
}

/** Vectors between two k of a slice. The odd one keeps blocks that are staged together from meeting in one bank. */
export function pitchOf(side: number): number {
  return side / 4 + 1;
}

export function vectorBytes(dtype: DType): number {
  return dtype === 'f16' ? 8 : 16;
}

/** WGSL for the lanes of a workgroup that share the staging of a slice: one block of four by four each. */
export function stagingCode(
  left: TileOperand,
  right: TileOperand,
  { rows, columns, slice }: TileShape,
): string {
  const depthBlocks = slice / 4;
  const leftJobs = (rows / 4) * depthBlocks;
  // The lanes that stage together take neighbours in memory.
  const place = ({ along }: TileOperand, job: string, side: number) =>
    along
      ? `vec2u(${job} / ${depthBlocks}u, ${job} % ${depthBlocks}u)`
      : `vec2u(${job} % ${side / 4}u, ${job} / ${side / 4}u)`;
  const vector = ({ dtype }: TileOperand) => (dtype === 'f16' ? 'vec4h' : 'vec4f');
  const put = (slices: string, operand: TileOperand, side: number) =>
    [0, 1, 2, 3]
      .map(
        (i) =>
          `${slices}[(place.y * 4u + ${i}u) * ${pitchOf(side)}u + place.x] = ${vector(operand)}(block[${i}]);`,
      )
      .join('\n    ');
  return `
var<workgroup> lefts: array<${vector(left)}, ${slice * pitchOf(rows)}>;
var<workgroup> rights: array<${vector(right)}, ${slice * pitchOf(columns)}>;
const LEFT_JOBS = ${leftJobs}u;
const JOBS = ${leftJobs + (columns / 4) * depthBlocks}u;
/** Which block of a slice a lane stages: how many fours down the outer side, and along k. */
fn placeOfJob(lane: u32) -> vec2u {
  if (lane < LEFT_JOBS) { return ${place(left, 'lane', rows)}; }
  return ${place(right, '(lane - LEFT_JOBS)', columns)};
}
fn stage(lane: u32, place: vec2u, block: mat4x4f) {
  if (lane < LEFT_JOBS) {
    ${put('lefts', left, rows)}
  } else if (lane < JOBS) {
    ${put('rights', right, columns)}
  }
}`;
}

/**
 * `sR_J`: row R of the lane, columns 4·J to 4·J + 3. `aH`: four rows of the left slice at depth k. `bJ`: four columns of the
 * right one.
 *
 * Sample (tile64 of a batched product):
 *
 *     if (k0 > begin) {
 *     for (var k = 0u; k < 16u; k++) {
 *       let a0 = vec4f(lefts[k * 17u + down]);
 *       let a1 = vec4f(lefts[k * 17u + 8u + down]);
 *       let b0 = vec4f(rights[k * 17u + 0u + across]);
 *       s0_0 = fma(vec4f(a0[0]), b0, s0_0);
 *       s1_0 = fma(vec4f(a0[1]), b0, s1_0);
 *       …
 *       s7_0 = fma(vec4f(a1[3]), b0, s7_0);
 *     }
 *     }
 *     if (k0 >= end) { break; }
 *     workgroupBarrier();
 *     stage(lane, place, block);
 *     workgroupBarrier();
 */
function tileCode(left: TileOperand, right: TileOperand, shape: TileShape, columnsPerLane: number): string {
  const { rows, columns, lanes, slice } = shape;
  const lanesAcross = columns / columnsPerLane;
  const lanesDown = rows / ROWS_PER_LANE;
  const sides = Array.from({ length: columnsPerLane / 4 }, (_, j) => j);
  const own = Array.from({ length: ROWS_PER_LANE }, (_, r) => r);
  const lines = (list: readonly number[], line: (i: number) => string) => list.map(line).join('\n');
  const half = (r: number) => r >> 2;
  return wgsl`${stagingCode(left, right, shape)}
@compute @workgroup_size(${lanes}) fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let firstRow = group.y * ${rows}u;
  let firstColumn = group.x * ${columns}u;
  let begin = group.z * dims.share;
  let end = min(begin + dims.share, dims.depth);
  let place = placeOfJob(lane);
  let leftOnes = leftOuter(firstRow + place.x * 4u);
  let rightOnes = rightOuter(firstColumn + place.x * 4u);
  var at: vec3u;
  if (lane < LEFT_JOBS) { at = leftStart(begin + place.y * 4u); } else { at = rightStart(begin + place.y * 4u); }
  let across = lane % ${lanesAcross}u;
  let down = lane / ${lanesAcross}u;
${lines(own, (r) => lines(sides, (j) => `  var s${r}_${j} = vec4f();`))}
  for (var k0 = begin; ; k0 += ${slice}u) {
    var block: mat4x4f;
    if (k0 < end) {
      if (lane < LEFT_JOBS) {
        block = leftBlock(leftOnes, at);
        at = leftAdvance(at, ${slice}u);
      } else {
        block = rightBlock(rightOnes, at);
        at = rightAdvance(at, ${slice}u);
      }
    }
    if (k0 > begin) {
    for (var k = 0u; k < ${slice}u; k++) {
      let a0 = vec4f(lefts[k * ${pitchOf(rows)}u + down]);
      let a1 = vec4f(lefts[k * ${pitchOf(rows)}u + ${lanesDown}u + down]);
${lines(sides, (j) => `      let b${j} = vec4f(rights[k * ${pitchOf(columns)}u + ${j * lanesAcross}u + across]);`)}
${lines(own, (r) => lines(sides, (j) => `      s${r}_${j} = fma(vec4f(a${half(r)}[${r % 4}]), b${j}, s${r}_${j});`))}
    }
    }
    if (k0 >= end) { break; }
    workgroupBarrier();
    stage(lane, place, block);
    workgroupBarrier();
  }
  // In a loop, since sixteen copies of the store would take a driver longer to compile than all the rest.
  var tile = array<vec4f, ${own.length * sides.length}>(${own.flatMap((r) => sides.map((j) => `s${r}_${j}`)).join(', ')});
  for (var i = 0u; i < ${own.length}u; i++) {
    let row = firstRow + (i / 4u * ${lanesDown}u + down) * 4u + i % 4u;
    for (var j = 0u; j < ${sides.length}u; j++) {
      store(group.z, row, firstColumn + (j * ${lanesAcross}u + across) * 4u, tile[i * ${sides.length}u + j]);
    }
  }
}`;
}
