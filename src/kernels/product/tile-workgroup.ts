import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import type { TileParameters } from './tile-family.js';
import { openingCode } from './tile-kernel.js';
import { runsOf, runType, type TileOperand } from './tile-operand.js';

/**
 * Tiles in workgroup memory: the lanes of a workgroup stage a slice of both operands as f32, blocks of four by four, and
 * every lane computes its part of the tile from it. While they do, the next slice is on its way into registers.
 */

/** Vectors of four words that workgroup memory gives at once, each from other banks. */
const BANKS = 8;

/**
 * Sample (tile64x64x16of8x4 of a batched product):
 */
export function workgroupTileCode(
  left: TileOperand,
  right: TileOperand,
  tile: TileParameters,
  unrolled: boolean,
): string {
  const { rows, columns, slice, laneRows, laneColumns, stages } = tile;
  const lanesAcross = columns / laneColumns;
  const lanesDown = rows / laneRows;
  const lanes = lanesAcross * lanesDown;
  const rounds = stagingRounds(left, right, tile, lanes);
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
  {
${lines(rounds, ({ load }) => load('begin < end'))}
${lines(rounds, ({ stage }) => stage)}
  }
  for (var k0 = begin + ${slice}u; begin < end; k0 += ${slice}u) {
    workgroupBarrier();
${lines(rounds, ({ load }) => load('k0 < end'))}
#if ${unrolled}
${lines(count(slice), (k) => multiply(`${k >> 2}u`, `${k % 4}u`))}
#else
    for (var q = 0u; q < ${fours}u; q++) { for (var i = 0u; i < 4u; i++) {
${multiply('q', 'i')}
    } }
#endif
    if (k0 >= end) { break; }
#if ${twice}
    slot = 1u - slot;
#else
    workgroupBarrier();
#endif
${lines(rounds, ({ stage }) => stage)}
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

/** The code of one block for each lane, at its places in the kernel. */
interface StagingRound {
  readonly begin: string;
  load(on: string): string;
  readonly stage: string;
}

/**
 * The blocks of both slices dealt out to the lanes, the left ones first, in as many rounds as it takes. Where a round has
 * blocks of both, lanes branch; they do so by whole subgroups in all but the smallest tiles.
 */
function stagingRounds(
  left: TileOperand,
  right: TileOperand,
  { rows, columns, slice, stages }: TileParameters,
  lanes: number,
): StagingRound[] {
  const fours = slice / 4;
  const lefts = (rows / 4) * fours;
  const jobs = lefts + (columns / 4) * fours;
  const slot = stages === 2 ? 'slot, ' : '';
  // Lanes that load together take neighbours in memory.
  const placeOf = ({ along }: TileOperand, job: string, side: number) =>
    along
      ? `vec2u((${job}) / ${fours}u, (${job}) % ${fours}u)`
      : `vec2u((${job}) % ${side / 4}u, (${job}) / ${side / 4}u)`;
  return count(Math.ceil(jobs / lanes)).map((round) => {
    const first = round * lanes;
    const leftLanes = Math.min(lanes, Math.max(0, lefts - first));
    const busy = Math.min(lanes, jobs - first);
    const both = leftLanes > 0 && leftLanes < busy;
    const upTo = (end: number, code: string) => (end < lanes ? `if (lane < ${end}u) { ${code} }` : code);
    const forEach = (ofLeft: string, ofRight: string) => {
      if (both) return `if (lane < ${leftLanes}u) { ${ofLeft} } else { ${upTo(busy, ofRight)} }`;
      return upTo(busy, leftLanes > 0 ? ofLeft : ofRight);
    };
    const alike = runType(left) === runType(right);
    const leftRuns = both && !alike ? `leftRuns${round}` : `runs${round}`;
    const rightRuns = both && !alike ? `rightRuns${round}` : `runs${round}`;
    const job = (from: number) => (first < from ? `lane - ${from - first}u` : `lane + ${first - from}u`);
    const sides: ('left' | 'right')[] = [];
    if (leftLanes > 0) sides.push('left');
    if (leftLanes < busy) sides.push('right');
    const place = `place${round}`;
    const loading = (side: 'left' | 'right', on: string) =>
      `${side}Load(${side}Outers${round}, ${side}At${round}, ${on})`;
    const variables = new Map([
      [leftRuns, runsOf('left')],
      [rightRuns, runsOf(leftLanes > 0 && alike ? 'left' : 'right')],
    ]);
    return {
      begin: `  var ${place} = vec2u();
  ${forEach(`${place} = ${placeOf(left, job(0), rows)};`, `${place} = ${placeOf(right, job(lefts), columns)};`)}
${lines(
  sides,
  (side) => `  let ${side}Outers${round} = ${side}Outer(${side === 'left' ? 'firstRow' : 'firstColumn'} + ${place}.x * 4u, ${place}.y * 4u);
  var ${side}At${round} = ${side}Start(begin, ${place}.y * 4u);`,
)}`,
      load: (on) =>
        `${lines([...variables], ([name, type]) => `    var ${name}: ${type};`)}
    ${forEach(`${leftRuns} = ${loading('left', on)};`, `${rightRuns} = ${loading('right', on)};`)}
${lines(sides, (side) => `    ${side}At${round} = ${side}Advance(${side}At${round}, ${slice}u);`)}`,
      stage: `    ${forEach(
        `stageLeft(${slot}${place}, leftBlock(${leftRuns}));`,
        `stageRight(${slot}${place}, rightBlock(${rightRuns}));`,
      )}`,
    };
  });
}

/** WGSL that puts a block into a slice, given how many fours down its outer side and how many along k it lies. */
function stageCode({ name, along }: TileOperand, fours: number, twice: boolean): string {
  const put = count(4).map(
    (i) => `${name}s${twice ? '[slot]' : ''}[place.y][${i}][outer] = block[${i}];`,
  );
  return `fn ${name === 'left' ? 'stageLeft' : 'stageRight'}(${twice ? 'slot: u32, ' : ''}place: vec2u, block: mat4x4f) {
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
