import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { openingCode } from './tile-kernel.js';
import { runType, type TileOperand } from './tile-operand.js';
import type { TileProduct } from './tile-product.js';

/**
 * Tiles in workgroup memory: the lanes of a workgroup stage a slice of both operands as f32, blocks of four by four, and
 * every lane computes its part of the tile from it. While they do, the next slice is on its way into registers; nothing
 * touches it before the slice is computed, since that would wait for memory.
 */

export interface TileParameters {
  /** Of the tile that a workgroup computes; multiples of 32. */
  readonly rows: number;
  readonly columns: number;
  /** Depth in workgroup memory at a time: 8, 16 or 32. */
  readonly slice: number;
  /** Of a lane's part of the tile: 4, 8 or 16. */
  readonly laneRows: number;
  readonly laneColumns: number;
  /** Slices in workgroup memory: of two, one is filled while the other is read, which saves every second barrier. */
  readonly stages: 1 | 2;
}

/** Vectors of four words that workgroup memory gives at once, each from other banks. */
const BANKS = 8;

/**
 * `sR_J`: row R of the lane, columns of its group J. `aH`: four rows of the left slice at one k. `bJ`: four columns of the
 * right one. A lane's rows and columns come in groups of four that lie apart, so that neighbouring lanes read neighbours.
 *
 * @param unrolled writes the loop over a slice out
 *
 * Sample (tile64x64x16of8x4 of a batched product):
 *
 *     for (var k0 = begin; ; k0 += 16u) {
 *       var runs0: array<VectorRunF, 4>;
 *       if (lane < 64u) { runs0 = leftLoad(leftOuters0, leftAt0, k0 < end); } else { runs0 = rightLoad(rightOuters0, rightAt0, k0 < end); }
 *       leftAt0 = leftAdvance(leftAt0, 16u);
 *       rightAt0 = rightAdvance(rightAt0, 16u);
 *       if (k0 > begin) {
 *       {
 *         let a0 = lefts[0u][0u][(0u + down) ^ (0u * 2u)];
 *         let a1 = lefts[0u][0u][(8u + down) ^ (0u * 2u)];
 *         let b0 = rights[0u][0u][0u + across];
 *         s0_0 = fma(vec4f(a0[0]), b0, s0_0);
 *         …
 *         s7_0 = fma(vec4f(a1[3]), b0, s7_0);
 *         …
 *       if (k0 >= end) { break; }
 *       workgroupBarrier();
 *       if (lane < 64u) { stageLeft(place0, leftBlock(runs0)); } else { stageRight(place0, rightBlock(runs0)); }
 *       workgroupBarrier();
 *     }
 */
export function workgroupTileCode(
  { left, right, columnSums = false }: TileProduct,
  tile: TileParameters,
  unrolled: boolean,
): string {
  const { rows, columns, slice, laneRows, laneColumns, stages } = tile;
  const lanesAcross = columns / laneColumns;
  const lanesDown = rows / laneRows;
  const lanes = lanesAcross * lanesDown;
  const rounds = stagingRounds(left, right, tile, { lanes, columnSums });
  const sides = count(laneColumns / 4);
  const halves = count(laneRows / 4);
  const own = count(laneRows);
  const fours = slice / 4;
  const twice = stages === 2;
  const slot = twice ? '[slot]' : '';
  /** WGSL at depth 4·q + i of a slice, both given as WGSL. */
  const multiply = (q: string, i: string) => `    {
${lines(halves, (h) => `      let a${h} = lefts${slot}[${q}][${i}][${swizzled(left, `${h * lanesDown}u + down`, q, fours)}];`)}
${lines(sides, (j) => `      let b${j} = rights${slot}[${q}][${i}][${swizzled(right, `${j * lanesAcross}u + across`, q, fours)}];`)}
${lines(own, (r) => lines(sides, (j) => `      s${r}_${j} = fma(vec4f(a${r >> 2}[${r % 4}]), b${j}, s${r}_${j});`))}
    }`;
  return wgsl`
// A slice: by fours of k, by k, by vectors of the outer side. Nested, since each index is checked against its own end.
alias LeftSlice = array<array<array<vec4f, ${rows / 4}>, 4>, ${fours}>;
alias RightSlice = array<array<array<vec4f, ${columns / 4}>, 4>, ${fours}>;
var<workgroup> lefts: ${twice ? 'array<LeftSlice, 2>' : 'LeftSlice'};
var<workgroup> rights: ${twice ? 'array<RightSlice, 2>' : 'RightSlice'};
${stageCode(left, fours, twice)}
${stageCode(right, fours, twice)}
@compute @workgroup_size(${lanes}) fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  ${openingCode({ rows, columns })}
  let across = lane % ${lanesAcross}u;
  let down = lane / ${lanesAcross}u;
${lines(rounds, ({ begin }) => begin)}
${lines(own, (r) => lines(sides, (j) => `  var s${r}_${j} = vec4f();`))}
#if ${twice}
  var slot = 0u;
#endif
  for (var k0 = begin; ; k0 += ${slice}u) {
${lines(rounds, ({ load }) => load)}
    if (k0 > begin) {
#if ${unrolled}
${lines(count(slice), (k) => multiply(`${k >> 2}u`, `${k % 4}u`))}
#else
    for (var q = 0u; q < ${fours}u; q++) { for (var i = 0u; i < 4u; i++) {
${multiply('q', 'i')}
    } }
#endif
    }
    if (k0 >= end) { break; }
#if ${twice}
    slot = 1u - slot;
#else
    workgroupBarrier();
#endif
${lines(rounds, ({ stage }) => stage)}
    workgroupBarrier();
  }
#if ${columnSums}
  // The lanes that have staged the same columns put their sums where the last slice was.
  workgroupBarrier();
${lines(rounds, ({ keepSums }) => keepSums)}
  workgroupBarrier();
  if (group.y == 0u && lane < ${columns / 4}u) {
    storeSums(group.z, firstColumn + lane * 4u, ${count(fours)
      .map((q) => `rights${twice ? '[0]' : ''}[${q}][0][lane]`)
      .join(' + ')});
  }
#endif
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

/** The code of one block for each lane, at its places in the kernel. */
interface StagingRound {
  readonly begin: string;
  readonly load: string;
  readonly stage: string;
  /** Behind the last slice: the lane's sums to workgroup memory. */
  readonly keepSums: string;
}

/** Lanes of a round that stage blocks of one operand. */
interface Stagers {
  readonly operand: TileOperand;
  /** WGSL of the first row or column of the tile. */
  readonly firstOuter: string;
  /** Vectors of the operand's side. */
  readonly vectors: number;
  /** The lanes from `from` up to `to`, the first of which takes block number `job`. */
  readonly from: number;
  readonly to: number;
  readonly job: number;
}

/**
 * The blocks of both slices dealt out to the lanes, those of the larger one first, in as many rounds as it takes. Where a
 * round has blocks of both, lanes branch; they do so by whole subgroups in all but the smallest tiles.
 */
function stagingRounds(
  left: TileOperand,
  right: TileOperand,
  { rows, columns, slice, stages }: TileParameters,
  { lanes, columnSums }: { lanes: number; columnSums: boolean },
): StagingRound[] {
  const fours = slice / 4;
  const operands = [
    { operand: left, firstOuter: 'firstRow', vectors: rows / 4 },
    { operand: right, firstOuter: 'firstColumn', vectors: columns / 4 },
  ];
  if (columns > rows) operands.reverse();
  const rounds: Stagers[][] = [];
  let job = 0;
  for (const side of operands) {
    for (let own = 0; own < side.vectors * fours; ) {
      const from = job % lanes;
      const taken = Math.min(lanes - from, side.vectors * fours - own);
      if (from === 0) rounds.push([]);
      rounds.at(-1)?.push({ ...side, from, to: from + taken, job: own });
      own += taken;
      job += taken;
    }
  }
  return rounds.map((sides, round) =>
    roundCode(sides, round, { lanes, slice, twice: stages === 2, columnSums }),
  );
}

function roundCode(
  sides: readonly Stagers[],
  round: number,
  { lanes, slice, twice, columnSums }: { lanes: number; slice: number; twice: boolean; columnSums: boolean },
): StagingRound {
  const fours = slice / 4;
  const slot = twice ? 'slot, ' : '';
  const sums = `sums${round}`;
  const summed = sides.find(({ operand }) => columnSums && operand.name === 'right');
  const place = `place${round}`;
  const outers = ({ operand }: Stagers) => `${operand.name}Outers${round}`;
  const at = ({ operand }: Stagers) => `${operand.name}At${round}`;
  // One variable for the runs of either, where they are of one type.
  const runs = ({ operand }: Stagers) =>
    `${runType(operand) === runType(sides[0]?.operand ?? operand) ? 'runs' : 'otherRuns'}${round}`;
  /** Each side's code for its own lanes; for the last one's also where there is no lane left, unless `exactly`. */
  const forEach = (exactly: boolean, code: (side: Stagers) => string) =>
    sides
      .map((side, i) =>
        side.to < lanes && (exactly || i + 1 < sides.length)
          ? `if (lane < ${side.to}u) { ${code(side)} }`
          : `{ ${code(side)} }`,
      )
      .join(' else ');
  // Lanes that load together take neighbours in memory.
  const placeOf = ({ operand, vectors, from, job }: Stagers) => {
    const own = job < from ? `(lane - ${from - job}u)` : `(lane + ${job - from}u)`;
    return operand.along
      ? `vec2u(${own} / ${fours}u, ${own} % ${fours}u)`
      : `vec2u(${own} % ${vectors}u, ${own} / ${vectors}u)`;
  };
  const variables = new Map(sides.map((side) => [runs(side), `array<${runType(side.operand)}, 4>`]));
  const block = (side: Stagers) => `${side.operand.name}Block(${runs(side)})`;
  return {
    begin: `${summed ? `  var ${sums} = vec4f();\n` : ''}  var ${place} = vec2u();
  ${forEach(false, (side) => `${place} = ${placeOf(side)};`)}
${lines(
  sides,
  (
    side,
  ) => `  let ${outers(side)} = ${side.operand.name}Outer(${side.firstOuter} + ${place}.x * 4u, ${place}.y * 4u);
  var ${at(side)} = ${side.operand.name}Start(begin, ${place}.y * 4u);`,
)}`,
    load: `${lines([...variables], ([name, type]) => `    var ${name}: ${type};`)}
    ${forEach(false, (side) => {
      const on = side.to < lanes && side === sides.at(-1) ? `k0 < end && lane < ${side.to}u` : 'k0 < end';
      return `${runs(side)} = ${side.operand.name}Load(${outers(side)}, ${at(side)}, ${on});`;
    })}
${lines(sides, (side) => `    ${at(side)} = ${side.operand.name}Advance(${at(side)}, ${slice}u);`)}`,
    stage: `    ${forEach(true, (side) =>
      side === summed
        ? `let block = ${block(side)}; ${sums} += block[0] + block[1] + block[2] + block[3]; ${stageName(side.operand)}(${slot}${place}, block);`
        : `${stageName(side.operand)}(${slot}${place}, ${block(side)});`,
    )}`,
    keepSums: summed
      ? `  if (lane >= ${summed.from}u && lane < ${summed.to}u) { rights${twice ? '[0]' : ''}[${place}.y][0][${place}.x] = ${sums}; }`
      : '',
  };
}

function stageName({ name }: TileOperand): string {
  return name === 'left' ? 'stageLeft' : 'stageRight';
}

/** WGSL that puts a block into a slice, given how many fours down its outer side and how many along k it lies. */
function stageCode(operand: TileOperand, fours: number, twice: boolean): string {
  const { name, along } = operand;
  const put = count(4).map((i) => `${name}s${twice ? '[slot]' : ''}[place.y][${i}][outer] = block[${i}];`);
  return `fn ${stageName(operand)}(${twice ? 'slot: u32, ' : ''}place: vec2u, block: mat4x4f) {
  let outer = ${along ? `place.x ^ (place.y * ${BANKS / fours}u)` : 'place.x'};
  ${put.join('\n  ')}
}`;
}

/**
 * The place of the vector number `vector` at the four of k number `q`. Where blocks that are staged together lie one behind
 * the other along k, they would meet in the same banks of workgroup memory without this.
 */
function swizzled({ along }: TileOperand, vector: string, q: string, fours: number): string {
  return along ? `(${vector}) ^ (${q} * ${BANKS / fours}u)` : vector;
}

function count(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}

function lines<T>(list: readonly T[], line: (item: T) => string): string {
  return list.map(line).join('\n');
}
