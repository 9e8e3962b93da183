import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import type { DeviceTraits, MatrixShape } from '../../engine/graph/tensor.js';
import { type MatrixCode, type MatrixGrid, subgroupMatrices } from './matrix-code.js';
import { BLOCK, type Held, quadType, runsAcross, stagingOf } from './matrix-staging.js';
import { WALK } from './matrix-walk.js';
import { STAGING } from './tile-family.js';
import { openingCode, type TileKernel, type TileShape } from './tile-kernel.js';
import type { TileOperand } from './tile-operand.js';
import type { TileProduct } from './tile-product.js';

/**
 * Tiles of small matrices, which a subgroup multiplies in one instruction on the matrix units of a GPU ("tensor cores",
 * "WMMA", "simdgroup matrices"). The lanes of a workgroup stage a slice of both operands; every subgroup computes its part
 * of the tile from it, small matrix by small matrix, while the next slice is on its way.
 *
 * Operands are f16 and sums f32, for products in mixed precision: where one of both operands is stored as f32 it is rounded
 * to f16 when it is staged, as PyTorch's autocast rounds. A product of two f32 operands is only computed this way on
 * small matrices of f32, which few adapters have.
 */
interface MatrixTileSize {
  readonly rows: number;
  readonly columns: number;
  readonly lanes: number;
}

const SIZES: readonly MatrixTileSize[] = [
  { rows: 128, columns: 128, lanes: 256 },
  { rows: 128, columns: 64, lanes: 128 },
  { rows: 64, columns: 128, lanes: 128 },
  { rows: 64, columns: 64, lanes: 128 },
];

/** Quads along k of a slice. */
const DEEP = 8;

/** Quads from one outer of a slice to the next: the odd one keeps those that are read together in banks of their own. */
const PITCH = DEEP + 1;

export const matrixTiles: readonly TileKernel[] = matrixTilesOf(subgroupMatrices);

/** @param codeOf WGSL of the small matrices */
export function matrixTilesOf(codeOf: (grid: MatrixGrid) => MatrixCode): readonly TileKernel[] {
  return (['f16', 'f32'] as const).flatMap((held) => SIZES.map((size) => matrixTile(size, held, codeOf)));
}

function matrixTile(size: MatrixTileSize, held: Held, codeOf: (grid: MatrixGrid) => MatrixCode): TileKernel {
  const { rows, columns, lanes } = size;
  const bytes = quadsStaged(size) * (held === 'f16' ? 8 : 16);
  const shape: TileShape = { ...size, slice: DEEP * 4, bytes, speed: speedOf(size) };
  const matrixOf = ({ matrices }: DeviceTraits) =>
    matrices.find(({ operands, sums }) => operands === held && sums === 'f32');
  return {
    name: `matrix${rows}x${columns}${held}`,
    family: 'matrix',
    unfit({ left, right }, traits) {
      const matrix = matrixOf(traits);
      if (!matrix) return `the device multiplies no small matrices of ${held} with sums in f32`;
      // Two f32 operands are never rounded to f16 behind the caller's back.
      const mixed = left.dtype === 'f16' || right.dtype === 'f16';
      if (mixed !== (held === 'f16')) return `its operands are not ${held}`;
      const [, most] = matrix.subgroups;
      if (lanes % most !== 0) return `${lanes} lanes are not whole subgroups of ${most}`;
      if (!layoutOf(matrix, size))
        return `small matrices of ${matrix.m}×${matrix.n}×${matrix.k} do not fill the tile`;
      if (traits.maxInvocations < lanes) return `needs ${lanes} invocations a workgroup`;
      return traits.maxWorkgroupBytes < bytes ? `needs ${bytes} bytes of workgroup memory` : undefined;
    },
    shape(traits) {
      const matrix = matrixOf(traits);
      if (!matrix) return shape;
      return {
        ...shape,
        subgroup: matrix.subgroups[0],
        matrix,
        enables: codeOf(matrixGrid(matrix, size)).enables,
      };
    },
    reading: (operand) => stagingOf(operand, held),
    sumsColumns: ({ right }) => runsAcross(right, held),
    code: (product, own) => tileCode(product, own, codeOf),
  };
}

/**
 * Small matrices take half the time of the same multiplications on f32 units (RDNA 3; most GPUs gain more, Apple's little),
 * beside which a block is staged in the time that the other tiles take for one (tile-family.ts).
 */
function speedOf({ rows, columns, lanes }: MatrixTileSize): number {
  const slice = DEEP * 4;
  const multiplications = (rows * columns * slice) / lanes;
  const blocks = ((rows + columns) * slice) / BLOCK / lanes;
  return multiplications / (multiplications / 2 + STAGING * blocks);
}

function quadsStaged({ rows, columns }: Pick<MatrixTileSize, 'rows' | 'columns'>): number {
  return (rows + columns) * PITCH;
}

/** How the subgroups of a workgroup lie over its tile, and the small matrices of one of them. */
interface Layout {
  readonly subgroupsAcross: number;
  readonly across: number;
  readonly down: number;
}

/** As near to squares as it goes: they read the least. */
function layoutOf(
  { m, n, k, subgroups: [width] }: MatrixShape,
  { rows, columns, lanes }: MatrixTileSize,
): Layout | undefined {
  // A small matrix is whole quads deep and across, and a slice whole matrices.
  if (k % 4 !== 0 || (DEEP * 4) % k !== 0 || n % 4 !== 0) return undefined;
  let best: Layout | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (let subgroupsDown = 1; subgroupsDown <= lanes / width; subgroupsDown++) {
    const subgroupsAcross = lanes / width / subgroupsDown;
    const down = rows / subgroupsDown / m;
    const across = columns / subgroupsAcross / n;
    if (![subgroupsAcross, down, across].every(Number.isInteger)) continue;
    const read = rows / subgroupsDown + columns / subgroupsAcross;
    if (read >= least) continue;
    least = read;
    best = { subgroupsAcross, across, down };
  }
  return best;
}

/** Sums go through the slices' memory on their way out, as many small matrices of a row at a turn as have room there. */
function matrixGrid(matrix: MatrixShape, size: MatrixTileSize): MatrixGrid & Layout {
  const { m, n, k, operands, subgroups } = matrix;
  const layout = layoutOf(matrix, size);
  if (!layout) throw new RangeError(`no tile of ${size.rows}×${size.columns} from small matrices`);
  const { across } = layout;
  const quadFloats = operands === 'f16' ? 2 : 4;
  const putPitchOf = (together: number) => (n * together) / quadFloats + 1;
  const room = Math.floor(quadsStaged(size) / (size.lanes / subgroups[0]));
  const together = count(across)
    .map((c) => c + 1)
    .findLast((c) => across % c === 0 && m * putPitchOf(c) <= room);
  if (together === undefined) throw new RangeError('no room for the sums of a small matrix');
  const steps = (DEEP * 4) / k;
  return { ...layout, matrix, steps, pitch: PITCH, together, putPitch: putPitchOf(together), quadFloats };
}

function tileCode(
  { left, right, columnSums = false }: TileProduct,
  shape: TileShape,
  codeOf: (grid: MatrixGrid) => MatrixCode,
): string {
  const { rows, columns, lanes, slice, matrix } = shape;
  if (!matrix) throw new RangeError('the device multiplies no small matrices');
  const grid = matrixGrid(matrix, shape);
  const { m, n, operands, subgroups } = matrix;
  const [width] = subgroups;
  const { across, down, subgroupsAcross, together, putPitch, quadFloats } = grid;
  const small = codeOf(grid);
  const staging = [
    ...roundsOf(left, shape, { outers: rows, first: 'firstRow', place: 0 }),
    ...roundsOf(right, shape, { outers: columns, first: 'firstColumn', place: rows * PITCH, columnSums }),
  ];
  const sideways = columns / 4;
  const perRow = across / together;
  const fours = (n * together) / 4;
  const place = `sums + r * ${putPitch}u + c * ${4 / quadFloats}u`;
  const sum = operands === 'f16' ? `vec4u(staged[${place}], staged[${place} + 1u])` : `staged[${place}]`;
  return wgsl`${WALK}
var<workgroup> staged: array<${quadType(operands)}, ${quadsStaged(shape)}>;
${small.declarations}
@compute @workgroup_size(${lanes}) ${small.attributes} fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) index: u32,
  ${small.parameters}
) {
${small.begin}
  ${openingCode({ rows, columns })}
${lines(
  ['left', 'right'],
  (side) => `  let ${side}Turn = ${side}Way();
  let ${side}Step = ${side}Start(${slice}u, ${side}Turn) - ${side}Start(0u, ${side}Turn);`,
)}
${lines(staging, (round) => round.begin)}
  let down = subgroup / ${subgroupsAcross}u % ${rows / (down * m)}u * ${down * m}u;
  let across = subgroup % ${subgroupsAcross}u * ${across * n}u;
  let leftPlace = down * ${PITCH}u;
  let rightPlace = (${rows}u + across) * ${PITCH}u;
${lines(staging, (round) => round.declare)}
${lines(staging, (round) => round.fetch)}
  for (var k0 = begin; k0 < end; k0 += ${slice}u) {
    workgroupBarrier();
${lines(staging, (round) => round.stage)}
    workgroupBarrier();
    // Behind the last slice, too, where nobody waits for it: values stay where they were loaded to if there is no branch.
${lines(staging, (round) => round.fetch)}
${small.multiply}
  }
#if ${columnSums}
  // The lanes that have staged the same columns put their sums where the last slice was.
  workgroupBarrier();
${lines(staging, (round) => round.keepSums)}
  workgroupBarrier();
  if (group.y == 0u && index < ${sideways}u) {
    var total = vec4f();
    for (var quad = 0u; quad < ${DEEP}u; quad++) {
      let sumPlace = (quad * ${sideways}u + index) * ${4 / quadFloats}u;
      total += bitcast<vec4f>(${operands === 'f16' ? 'vec4u(staged[sumPlace], staged[sumPlace + 1u])' : 'staged[sumPlace]'});
    }
    storeSums(group.z, firstColumn + index * 4u, total);
  }
#endif
  // In a loop, since as many copies of the store would take a driver longer to compile than all the rest.
  let sums = subgroup * ${m * putPitch}u;
  for (var turn = 0u; turn < ${down * perRow}u; turn++) {
    workgroupBarrier();
${small.put}
    workgroupBarrier();
    let row = firstRow + down + turn / ${perRow}u * ${m}u;
    let column = firstColumn + across + turn % ${perRow}u * ${n * together}u;
    for (var i = lane; i < ${m * fours}u; i += ${width}u) {
      let r = i / ${fours}u;
      let c = i % ${fours}u;
      store(group.z, row + r, column + c * 4u, bitcast<vec4f>(${sum}));
    }
  }
}`;
}

/** The code of one block for each lane, at its places in the kernel. */
interface StagingRound {
  readonly begin: string;
  readonly declare: string;
  readonly fetch: string;
  readonly stage: string;
  /** Behind the last slice: the lane's column sums to workgroup memory. */
  readonly keepSums: string;
}

/** The blocks of an operand's slice, dealt out to the lanes in as many rounds as it takes. */
function roundsOf(
  operand: TileOperand,
  { lanes, slice, matrix }: TileShape,
  {
    outers,
    first,
    place,
    columnSums = false,
  }: { outers: number; first: string; place: number; columnSums?: boolean },
): StagingRound[] {
  const { name, along } = operand;
  const held = matrix?.operands ?? 'f16';
  const block = stagingOf(operand, held);
  // Of the small matrices' type, a sum of four columns takes so many quads.
  const sumQuads = held === 'f16' ? 2 : 1;
  const jobs = (outers * slice) / BLOCK;
  // Lanes that load together take neighbours in memory.
  const deep = DEEP / block.quads;
  const side = outers / block.outers;
  const [outer, quad] = along ? [`/ ${deep}u`, `% ${deep}u`] : [`% ${side}u`, `/ ${side}u`];
  return count(Math.ceil(jobs / lanes)).map((round) => {
    const own = (what: string) => `${name}${what}${round}`;
    const job = round === 0 ? 'index' : `(index + ${round * lanes}u)`;
    const left = jobs - round * lanes;
    const fetched = `${own('Block')} = ${name}Fetch(${own('Outers')}, ${own('At')}, ${name}Turn);`;
    const Block = `${name === 'left' ? 'Left' : 'Right'}Block`;
    return {
      begin: `  let ${own('Outer')} = ${job} ${outer} % ${side}u * ${block.outers}u;
  let ${own('Quad')} = ${job} ${quad} % ${deep}u * ${block.quads}u;
  let ${own('Place')} = ${place}u + ${own('Outer')} * ${PITCH}u + ${own('Quad')};
  let ${own('Outers')} = ${name}SpotsOf(${first} + ${own('Outer')});
  var ${own('At')} = ${name}Start(begin + ${own('Quad')} * 4u, ${name}Turn);`,
      declare: `  var ${own('Block')}: ${Block};${columnSums ? `\n  var ${own('Sums')} = vec4f();` : ''}`,
      fetch: `    ${left < lanes ? `if (index < ${left}u) { ${fetched} }` : fetched}
    ${own('At')} = ${name}Next(${own('At')}, ${name}Step, ${name}Turn);`,
      // Not in a function, where Dawn could not know that no place is beyond the memory.
      stage: `    ${left < lanes ? `if (index < ${left}u) ` : ''}{
      let quads = ${name}Quads(${own('Block')});
${columnSums ? `      ${own('Sums')} += ${name}Sums(${own('Block')});` : ''}
${lines([0, 1, 2, 3], (q) => {
  const at = Math.floor(q / block.quads) * PITCH + (q % block.quads);
  return `      staged[${own('Place')} + ${at}u] = quads[${q}];`;
})}
    }`,
      keepSums: columnSums
        ? `  ${left < lanes ? `if (index < ${left}u) ` : ''}{
    let sumPlace = (${own('Quad')} * ${side}u + ${own('Outer')} / 4u) * ${sumQuads}u;
${lines(count(sumQuads), (i) => `    staged[sumPlace + ${i}u] = bitcast<${quadType(held)}>(${sumQuads === 1 ? own('Sums') : `${own('Sums')}.${i === 0 ? 'xy' : 'zw'}`});`)}
  }`
        : '',
    };
  });
}

function count(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}

function lines<T>(list: readonly T[], line: (item: T) => string): string {
  return list.map(line).join('\n');
}
