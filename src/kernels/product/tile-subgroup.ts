import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { openingCode, type TileKernel, type TileShape } from './tile-kernel.js';
import type { TileOperand } from './tile-operand.js';

/**
 * Tiles without workgroup memory or barriers: every subgroup computes one of its own. Its lanes load a slice of both
 * operands, blocks of four by four, and hand them around by shuffles. Where a shuffle is as quick as workgroup memory
 * this saves the barriers; where it is not (NVIDIA's shuffle moves a quarter of the words that its units can multiply)
 * it loses. So the rule prefers the other tiles, and a tuner may find this one faster.
 */
export const tileSubgroup: TileKernel = {
  name: 'tileSubgroup',

  unfit(_product, { subgroupSize, maxInvocations }) {
    if (!GRIDS.has(subgroupSize)) return 'needs subgroups of 8, 16, 32 or 64 lanes';
    return maxInvocations < LANES ? `needs ${LANES} invocations a workgroup` : undefined;
  },

  shape({ subgroupSize }): TileShape {
    const { across } = gridOf(subgroupSize);
    return {
      rows: (LANES / across) * SIDE,
      columns: across * SIDE,
      // so deep that every lane has one block of the left operand to load
      slice: across * 2,
      lanes: LANES,
      bytes: 0,
      subgroup: subgroupSize,
      speed: 0.5,
      enables: ['subgroups'],
    };
  },

  code: ({ left, right }, shape) => tileCode(left, right, shape),
};

/** Invocations of a workgroup: its subgroups lie below each other and share, by the cache, the right operand. */
const LANES = 128;

/** Rows and columns of a lane's part of the tile, in two groups of four that lie half a tile apart. */
const SIDE = 8;

/** How the lanes of a subgroup lie over its tile. */
interface LaneGrid {
  readonly down: number;
  readonly across: number;
}

/** By the number of lanes. */
const GRIDS: ReadonlyMap<number, LaneGrid> = new Map([
  [8, { down: 2, across: 4 }],
  [16, { down: 4, across: 4 }],
  [32, { down: 4, across: 8 }],
  [64, { down: 8, across: 8 }],
]);

function gridOf(subgroupSize = 0): LaneGrid {
  const grid = GRIDS.get(subgroupSize);
  if (!grid) throw new RangeError(`no tile for subgroups of ${subgroupSize} lanes`);
  return grid;
}

const HALVES = [0, 1] as const;
const FOUR = [0, 1, 2, 3] as const;

/**
 * `sR_J`: row R of the lane, columns of its half J. `aH`: four rows of half H at one depth, from the lane that has loaded
 * their block. `bH`: four columns.
 *
 * Sample (tileSubgroup of a batched product, subgroups of 8):
 *
 *     for (var k0 = begin; k0 < end; k0 += 8u) {
 *       let leftOnes = leftBlock(leftLoad(leftOuters, leftAt, true));
 *       leftAt = leftAdvance(leftAt, 8u);
 *       let rightOnes0 = rightBlock(rightLoad(rightOuters0, rightAt0, true));
 *       …
 *       {
 *         let a0 = subgroupShuffle(leftOnes[0], ((down + 0u) * 2u + 0u) % 8u);
 *         let a1 = subgroupShuffle(leftOnes[0], ((down + 2u) * 2u + 0u) % 8u);
 *         let b0 = subgroupShuffle(rightOnes0[0], (0u + across) % 8u);
 *         let b1 = subgroupShuffle(rightOnes0[0], (4u + across) % 8u);
 *         s0_0 = fma(vec4f(a0[0]), b0, s0_0);
 *         s0_1 = fma(vec4f(a0[0]), b1, s0_1);
 *         s1_0 = fma(vec4f(a0[1]), b0, s1_0);
 *         …
 *       }
 *       {
 *         let a0 = subgroupShuffle(leftOnes[1], ((down + 0u) * 2u + 0u) % 8u);
 */
function tileCode(left: TileOperand, right: TileOperand, shape: TileShape): string {
  const { slice, subgroup } = shape;
  const { down, across } = gridOf(subgroup);
  const size = down * across;
  const blocks = slice / 4;
  // Which block of a slice a lane loads, so that lanes that load together take neighbours in memory. The blocks of the
  // right operand are dealt out in one or two rounds.
  const dealt = ({ along }: TileOperand, outers: number) => ({
    outer: (job: string) => (along ? `${job} / ${blocks}u` : `${job} % ${outers}u`),
    deep: (job: string) => (along ? `${job} % ${blocks}u` : `${job} / ${outers}u`),
    /** The one that has the block `half * outers / 2 + own`, `k` blocks deep. */
    job: (own: string, half: number, k: number) =>
      along
        ? {
            round: Math.floor((half * (outers / 2) * blocks) / size),
            lane: `(${own} + ${(half * outers) / 2}u) * ${blocks}u + ${k}u`,
          }
        : { round: Math.floor((k * outers) / size), lane: `${k * outers + (half * outers) / 2}u + ${own}` },
  });
  const lefts = dealt(left, down * 2);
  const rights = dealt(right, across * 2);
  const rounds = Array.from({ length: across / down }, (_, round) => round);
  const lines = <T>(list: readonly T[], line: (item: T) => string) => list.map(line).join('\n');
  const shuffled = (matrix: string, i: number, lane: string) =>
    `subgroupShuffle(${matrix}[${i}], (${lane}) % ${size}u)`;
  const multiply = (k: number, i: number) => `
    {
${lines(HALVES, (h) => `      let a${h} = ${shuffled('leftOnes', i, lefts.job('down', h, k).lane)};`)}
${lines(HALVES, (h) => {
  const { round, lane } = rights.job('across', h, k);
  return `      let b${h} = ${shuffled(`rightOnes${round}`, i, lane)};`;
})}
${lines(HALVES, (h) => lines(FOUR, (r) => lines(HALVES, (j) => `      s${h * 4 + r}_${j} = fma(vec4f(a${h}[${r}]), b${j}, s${h * 4 + r}_${j});`)))}
    }`;
  const own = Array.from({ length: SIDE }, (_, r) => r);
  return wgsl`
@compute @workgroup_size(${LANES}) fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  ${openingCode(shape)}
  let ownRow = firstRow + index / ${size}u * ${down * SIDE}u;
  let across = lane % ${across}u;
  let down = lane / ${across}u;
  let leftDeep = (${lefts.deep('lane')}) * 4u;
  let leftOuters = leftOuter(ownRow + (${lefts.outer('lane')}) * 4u, leftDeep);
  var leftAt = leftStart(begin, leftDeep);
${lines(rounds, (round) => {
  const job = `(lane + ${round * size}u)`;
  return `  let rightDeep${round} = (${rights.deep(job)}) * 4u;
  let rightOuters${round} = rightOuter(firstColumn + (${rights.outer(job)}) * 4u, rightDeep${round});
  var rightAt${round} = rightStart(begin, rightDeep${round});`;
})}
${lines(own, (r) => lines(HALVES, (j) => `  var s${r}_${j} = vec4f();`))}
  for (var k0 = begin; k0 < end; k0 += ${slice}u) {
    let leftOnes = leftBlock(leftLoad(leftOuters, leftAt, true));
    leftAt = leftAdvance(leftAt, ${slice}u);
${lines(
  rounds,
  (round) => `    let rightOnes${round} = rightBlock(rightLoad(rightOuters${round}, rightAt${round}, true));
    rightAt${round} = rightAdvance(rightAt${round}, ${slice}u);`,
)}
${lines(
  Array.from({ length: slice }, (_, k) => k),
  (k) => multiply(k >> 2, k % 4),
)}
  }
  // In a loop, since sixteen copies of the store would take a driver longer to compile than all the rest.
  var tile = array<vec4f, ${SIDE * 2}>(${own.flatMap((r) => HALVES.map((j) => `s${r}_${j}`)).join(', ')});
  for (var i = 0u; i < ${SIDE}u; i++) {
    let row = ownRow + (i / 4u * ${down}u + down) * 4u + i % 4u;
    for (var j = 0u; j < 2u; j++) {
      store(group.z, row, firstColumn + (j * ${across}u + across) * 4u, tile[i * 2u + j]);
    }
  }
}`;
}
