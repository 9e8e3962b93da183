import { openingCode, type TileKernel, type TileShape } from './tile-kernel.js';
import type { TileOperand } from './tile-operand.js';

/**
 * Tiles without sharing: every lane computes a part of the result from blocks of four by four that it loads itself.
 * Without barriers, workgroup memory or subgroups, so it suits software adapters, whatever they lack; on a GPU it costs
 * the caches more than the other tiles do.
 */
export const tileRegisters: TileKernel = {
  name: 'tileRegisters',
  // Loads one by one, sixteen a block, take SwiftShader's compiler minutes and gigabytes. Lavapipe and GPUs take them.
  unfit: ({ left, right }, { kind, adapter }) =>
    kind === 'software' && adapter !== 'lavapipe' && !(left.vector && right.vector)
      ? 'operands do not go in fours'
      : undefined,
  shape: () => ({
    rows: DOWN * ROWS,
    columns: ACROSS * COLUMNS,
    slice: 4,
    lanes: DOWN * ACROSS,
    bytes: 0,
    speed: 0.3,
  }),
  code: ({ left, right }, shape) => tileCode(left, right, shape),
};

/** Of a lane's part of the tile. */
const ROWS = 8;
const COLUMNS = 8;

/** Lanes of a workgroup, side by side and below each other. */
const ACROSS = 4;
const DOWN = 4;

/**
 * `sR_J`: row R of the lane, columns 4·J to 4·J + 3. `aI`, `bJ`: blocks of four by four; `a0[q][r]` is depth q of row r.
 *
 * Sample (tileRegisters of a batched product):
 *
 *     for (var k = begin; k < end; k += 4u) {
 *       let a0 = leftBlock(leftLoad(leftOnes0, leftAt, true));
 *       let a1 = leftBlock(leftLoad(leftOnes1, leftAt, true));
 *       let b0 = rightBlock(rightLoad(rightOnes0, rightAt, true));
 *       let b1 = rightBlock(rightLoad(rightOnes1, rightAt, true));
 *       …
 *       s0_0 = fma(vec4f(a0[0][0]), b0[0], s0_0);
 *       s0_0 = fma(vec4f(a0[1][0]), b0[1], s0_0);
 *       s0_0 = fma(vec4f(a0[2][0]), b0[2], s0_0);
 *       s0_0 = fma(vec4f(a0[3][0]), b0[3], s0_0);
 *       s0_1 = fma(vec4f(a0[0][0]), b1[0], s0_1);
 */
function tileCode(_left: TileOperand, _right: TileOperand, shape: TileShape): string {
  const fours = (size: number) => Array.from({ length: size / 4 }, (_, i) => i);
  const own = Array.from({ length: ROWS }, (_, r) => r);
  const sides = fours(COLUMNS);
  const lines = (list: readonly number[], line: (i: number) => string) => list.map(line).join('\n');
  return `
@compute @workgroup_size(${shape.lanes}) fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  ${openingCode(shape)}
  let ownRow = firstRow + lane / ${ACROSS}u * ${ROWS}u;
  let ownColumn = firstColumn + lane % ${ACROSS}u * ${COLUMNS}u;
  if (ownRow >= own.rows || ownColumn >= dims.columns) { return; }
${lines(fours(ROWS), (i) => `  let leftOnes${i} = leftOuter(ownRow + ${i * 4}u, 0u);`)}
${lines(sides, (j) => `  let rightOnes${j} = rightOuter(ownColumn + ${j * 4}u, 0u);`)}
  var leftAt = leftStart(begin, 0u);
  var rightAt = rightStart(begin, 0u);
${lines(own, (r) => lines(sides, (j) => `  var s${r}_${j} = vec4f();`))}
  for (var k = begin; k < end; k += 4u) {
${lines(fours(ROWS), (i) => `    let a${i} = leftBlock(leftLoad(leftOnes${i}, leftAt, true));`)}
${lines(sides, (j) => `    let b${j} = rightBlock(rightLoad(rightOnes${j}, rightAt, true));`)}
    leftAt = leftAdvance(leftAt, 4u);
    rightAt = rightAdvance(rightAt, 4u);
${lines(own, (r) =>
  lines(sides, (j) =>
    lines(
      [0, 1, 2, 3],
      (q) => `    s${r}_${j} = fma(vec4f(a${r >> 2}[${q}][${r & 3}]), b${j}[${q}], s${r}_${j});`,
    ),
  ),
)}
  }
  // In a loop, since as many copies of the store would take a driver longer to compile than all the rest.
  var tile = array<vec4f, ${ROWS * sides.length}>(${own.flatMap((r) => sides.map((j) => `s${r}_${j}`)).join(', ')});
  for (var i = 0u; i < ${ROWS}u; i++) {
    for (var j = 0u; j < ${sides.length}u; j++) {
      store(group.z, ownRow + i, ownColumn + j * 4u, tile[i * ${sides.length}u + j]);
    }
  }
}`;
}
