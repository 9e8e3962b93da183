import {
  at,
  type DeviceTraits,
  type Kernel,
  type KernelStep,
  type Operand,
  type Problem,
} from '../../../engine/graph/tensor.js';
import type { Epilogue } from '../../common/epilogue.js';
import { type StorageType, storageType } from '../../common/storage-type.js';
import type { Gather } from '../conv-gather.js';
import { type WeightLayout, weightStep, weightTexels } from './transform-steps.js';
import { F2, placesOf, tilingOf, transformCode } from './transforms.js';

/**
 * F(2×2, 3×3) for GPUs in one kernel behind the transform of the weights: as steps of their own, the transforms of inputs
 * and products would move four times the bytes of both through memory, which takes longer there than the multiplications
 * that are saved.
 *
 * A workgroup computes `TILES` tiles × `COLUMNS` result channels. Its lanes load pixels, transform them on the way into
 * workgroup memory, and multiply: sixteen lanes for each of the sixteen places, eight tiles × eight channels each. At the
 * end the sums pass through workgroup memory once more, so that one lane has all places of a tile for the last transform.
 */
const TILES = 32;
const COLUMNS = 32;
export const TILE_LANES = 256;
const PLACES = placesOf(F2);
/** Depth that lies in workgroup memory at a time, and that is loaded at a time: half of the lanes load the second slice. */
const SLICE = 4;
const LOADED = 2 * SLICE;
/** Tiles of a lane. Neighbouring lanes take neighbouring tiles and the lane's own lie apart, so that they read side by side. */
const OWN = 8;
const LANES_DOWN = TILES / OWN;
/** Texels of four columns: of the workgroup; those of a lane lie half of them apart. */
const TEXELS = COLUMNS / 4;
/** In workgroup memory: transformed inputs [place][tile], of four channels each, and weights [place][depth][texel]. */
const INPUTS = PLACES * TILES;
const WEIGHTS = PLACES * SLICE * TEXELS;
const WORKGROUP_BYTES = (INPUTS + WEIGHTS) * 16;
/** For each channel of the depth. */
export const TILE_MULTIPLICATIONS = PLACES * TILES * COLUMNS;
const HALVES = [0, 1] as const;
const FOUR = [0, 1, 2, 3] as const;

/** Why a device or a size is beyond this kernel. */
export function unfitForTiles(gather: Gather, traits: DeviceTraits): string | undefined {
  if (traits.maxInvocations < TILE_LANES) return `needs ${TILE_LANES} invocations a workgroup`;
  if (traits.maxWorkgroupBytes < WORKGROUP_BYTES) return `needs ${WORKGROUP_BYTES} bytes of workgroup memory`;
  return Math.max(...gridOf(gather)) > traits.maxWorkgroups ? 'more tiles than workgroups' : undefined;
}

export function gridOf(gather: Gather): [columns: number, rows: number, one: 1] {
  return [Math.ceil(gather.channels / COLUMNS), Math.ceil(tilingOf(gather, F2).tiles / TILES), 1];
}

/** Of all products, as it is carried out. */
export function depthOf({ image }: Gather): number {
  return Math.ceil(image.c / LOADED) * LOADED;
}

export function buildOfTiles(
  gather: Gather,
  { inputs, outputs }: Pick<Problem, 'inputs' | 'outputs'>,
  epilogue: Epilogue,
  traits: DeviceTraits,
): Kernel {
  const { image, channels, outH, outW } = gather;
  const layout: WeightLayout = {
    depth: depthOf(gather),
    panels: 1,
    panel: Math.ceil(channels / 4),
  };
  const transformed: Operand = { kind: 'scratch', index: 0 };
  const fours = image.c % 4 === 0;
  const vector = channels % 4 === 0;
  const pixels = storageType(at(inputs, 0), fours ? 4 : 1);
  const type = storageType(at(outputs, 0), vector ? 4 : 1);
  const finish = epilogue.emit(vector);
  const { across, down, tiles } = tilingOf(gather, F2);
  const product: KernelStep = {
    kind: 'dispatch',
    bindings: [
      { name: 'image', operand: { kind: 'input', index: 0 }, access: 'read', type: pixels },
      { name: 'weights', operand: transformed, access: 'read', type: 'vec4f' },
      ...finish.bindings,
      { name: 'result', operand: { kind: 'output', index: 0 }, access: 'read_write', type },
    ],
    // Neighbouring workgroups read the same pixels, while caches hold them.
    workgroups: gridOf(gather),
    dims: {
      tiles,
      across,
      down,
      h: image.h,
      w: image.w,
      c: image.c,
      // Negative ones wrap around, and back in the kernel.
      top: image.top,
      left: image.left,
      depth: layout.depth,
      texels: layout.panel,
      placeTexels: layout.depth * layout.panel,
      width: vector ? layout.panel : channels,
      outH,
      outW,
    },
    code: `${finish.declarations}${tileCode({ fours, vector, pixels: storageType(at(inputs, 0), 4), type })}`,
  };
  return {
    scratch: [{ kind: 'buffer', bytes: weightTexels(F2, layout) * 16 }],
    steps: [weightStep(F2, gather, at(inputs, 1), layout, transformed, traits), product],
  };
}

/** Rows of Bᵀ: two of the four inputs each, the second with a sign. */
const PAIRS = { first: [0, 1, 2, 1], second: [2, 2, 1, 3], sign: [-1, 1, -1, -1] } as const;

/**
 * `sR_J`: the sum of the lane's tile R and its texel J. `rawA_J`, `rawB_J`: four channels of column J of the two rows of pixels
 * that a lane transforms, as they were loaded. `bQ_J`: texel J of the weights at depth Q.
 *
 * Loads are under way while the slices before them are multiplied: nothing is done with them before they are staged. Pixels
 * outside of the image are those at its edge, times zero.
 */
function tileCode({
  fours,
  vector,
  pixels,
  type,
}: {
  /** Whether pixels are loaded in fours, and results stored so. */
  readonly fours: boolean;
  readonly vector: boolean;
  /** Types of four channels of a pixel, and of a stored result. */
  readonly pixels: StorageType;
  readonly type: StorageType;
}): string {
  const lines = (list: readonly number[], line: (i: number) => string) => list.map(line).join('\n');
  const count = (n: number) => Array.from({ length: n }, (_, i) => i);
  const each = (line: (row: 'A' | 'B', j: number) => string) =>
    (['A', 'B'] as const).flatMap((row) => FOUR.map((j) => line(row, j))).join('\n');
  const rights = count((2 * WEIGHTS) / TILE_LANES);
  const stage = (half: 0 | 1) => `    workgroupBarrier();
    if (loadHalf == ${half}u) {
${lines(FOUR, (j) => `      let h${j} = fma(vec4f(rawB_${j}), vec4f(maskB${j}), vec4f(rawA_${j}) * maskA${j});`)}
      staged[inputTo] = h0 - h2;
      staged[inputTo + ${TILES}u] = h1 + h2;
      staged[inputTo + ${2 * TILES}u] = h2 - h1;
      staged[inputTo + ${3 * TILES}u] = h1 - h3;
    }
${lines(rights.slice((half * rights.length) / 2, ((half + 1) * rights.length) / 2), (u) => `    staged[${INPUTS + (u % (rights.length / 2)) * TILE_LANES}u + lane] = right${u};`)}
    workgroupBarrier();`;
  const load = (k: string, name: (variable: string) => string) => `${each(
    (row, j) => `    ${name(`raw${row}_${j}`)} = load(at${row}${j}, ${k} + loadHalf * ${SLICE}u);`,
  )}
${lines(rights, (u) => {
  const half = Math.floor((2 * u) / rights.length);
  const round = u % (rights.length / 2);
  const deeper = `(${k} + ${half * SLICE}u) * dims.texels`;
  return `    ${name(`right${u}`)} = weights[weightsAt + ${round * (TILE_LANES / SLICE / TEXELS)}u * dims.placeTexels + ${deeper}];`;
})}`;
  const multiply = `    {
${lines(FOUR, (q) => lines(HALVES, (j) => `      let b${q}_${j} = staged[rightAt + ${q * TEXELS + (j * TEXELS) / 2}u];`))}
${lines(
  count(OWN),
  (r) => `      let a${r} = staged[leftAt + ${r * LANES_DOWN}u];
${lines(FOUR, (q) => lines(HALVES, (j) => `      s${r}_${j} = fma(vec4f(a${r}[${q}]), b${q}_${j}, s${r}_${j});`))}`,
)}
    }`;
  const first = '0u';
  return `
var<workgroup> staged: array<vec4f, ${INPUTS + WEIGHTS}>;
${
  fours
    ? `fn load(texel: u32, k: u32) -> ${pixels} { return image[texel + min(k, dims.c - 4u) / 4u]; }`
    : `fn channel(at: u32, k: u32) -> ${pixels === 'vec4h' ? 'f16' : 'f32'} { return image[at + min(k, dims.c - 1u)]; }
fn load(at: u32, k: u32) -> ${pixels} { return ${pixels}(${FOUR.map((j) => `channel(at, k + ${j}u)`).join(', ')}); }`
}
fn pick(i: u32, four: vec4u) -> i32 { return i32(four[i]); }
@compute @workgroup_size(${TILE_LANES}) fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  // What the lane loads: four channels of two rows of a tile, and texels of weights.
  let loadTile = lane % ${TILES}u;
  let loadRow = lane / ${TILES}u % 4u;
  let loadHalf = lane / ${4 * TILES}u;
  let inputTo = loadRow * ${4 * TILES}u + loadTile;
  let tile = min(group.y * ${TILES}u + loadTile, dims.tiles - 1u);
  let line = tile / dims.across;
  let n = line / dims.down;
  let x = i32((tile - line * dims.across) * 2u) - i32(dims.left);
  let y = i32((line - n * dims.down) * 2u) - i32(dims.top);
  let yA = y + pick(loadRow, vec4u(${PAIRS.first.map((i) => `${i}u`).join(', ')}));
  let yB = y + pick(loadRow, vec4u(${PAIRS.second.map((i) => `${i}u`).join(', ')}));
  let weightOfA = select(0.0, 1.0, u32(yA) < dims.h);
  let weightOfB = select(0.0, select(-1.0, 1.0, loadRow == 1u), u32(yB) < dims.h);
${each(
  (row, j) => `  let mask${row}${j} = select(0.0, weightOf${row}, u32(x + ${j}) < dims.w);
  let at${row}${j} = ((n * dims.h + u32(clamp(y${row}, 0, i32(dims.h) - 1))) * dims.w + u32(clamp(x + ${j}, 0, i32(dims.w) - 1))) * ${fours ? '(dims.c / 4u)' : 'dims.c'};`,
)}
  let weightsAt = lane / ${SLICE * TEXELS}u * dims.placeTexels + lane / ${TEXELS}u % ${SLICE}u * dims.texels + min(group.x * ${TEXELS}u + lane % ${TEXELS}u, dims.texels - 1u);
  // What it multiplies.
  let place = lane / 16u;
  let ownTile = lane % ${LANES_DOWN}u;
  let ownTexel = lane / ${LANES_DOWN}u % 4u;
  let leftAt = place * ${TILES}u + ownTile;
  let rightAt = ${INPUTS}u + place * ${SLICE * TEXELS}u + ownTexel;
${lines(count(OWN), (r) => lines(HALVES, (j) => `  var s${r}_${j} = vec4f();`))}
${load(first, (name) => `var ${name}`)}
  for (var k = 0u; k < dims.depth; k += ${LOADED}u) {
${stage(0)}
${multiply}
${stage(1)}
    // Beyond the end the last ones are loaded again.
    let next = min(k + ${LOADED}u, dims.depth - ${LOADED}u);
${load('next', (name) => name)}
${multiply}
  }
${resultCode(vector, type)}
}`;
}

/** Texels of all lanes' sums that workgroup memory holds at a time. */
const ROUND = (INPUTS + WEIGHTS) / (PLACES * TILES);

/** Hands the sums around, [place][texel][tile], and stores the results of tiles. */
function resultCode(vector: boolean, type: StorageType): string {
  const lines = (list: readonly number[], line: (i: number) => string) => list.map(line).join('\n');
  const count = (n: number) => Array.from({ length: n }, (_, i) => i);
  const parts = vector ? [''] : ['[0]', '[1]', '[2]', '[3]'];
  const column = (q: number) => (vector ? 'texel' : `texel * 4u + ${q}u`);
  const store = (part: string, q: number) => {
    const stores = HALVES.flatMap((i) =>
      HALVES.map((j) => {
        const inside = [
          ...(i ? ['resultY + 1u < dims.outH'] : []),
          ...(j ? ['resultX + 1u < dims.outW'] : []),
        ];
        const index = `(origin${i ? ' + dims.outW' : ''}${j ? ' + 1u' : ''}) * dims.width + ${column(q)}`;
        const body = `{ let i = ${index}; result[i] = ${type}(finish(o${i}_${j}${part}, i, operands)); }`;
        return inside.length > 0 ? `if (${inside.join(' && ')}) ${body}` : body;
      }),
    );
    const body = `{
        let operands = columnOperands(${column(q)});
        ${stores.join('\n        ')}
      }`;
    return vector ? body : `if (${column(q)} < dims.width) ${body}`;
  };
  return `  let resultTile = group.y * ${TILES}u + lane % ${TILES}u;
  let resultLine = resultTile / dims.across;
  let resultImage = resultLine / dims.down;
  let resultX = (resultTile - resultLine * dims.across) * 2u;
  let resultY = (resultLine - resultImage * dims.down) * 2u;
  let origin = (resultImage * dims.outH + resultY) * dims.outW + resultX;
${lines(count(TEXELS / ROUND), (turn) => {
  const first = turn * ROUND;
  const half = Math.floor(first / (TEXELS / 2));
  const within = first % (TEXELS / 2);
  return `  {
    workgroupBarrier();
    if (ownTexel >= ${within}u && ownTexel < ${within + ROUND}u) {
      let to = (place * ${ROUND}u + ownTexel - ${within}u) * ${TILES}u + ownTile;
${lines(count(OWN), (r) => `      staged[to + ${r * LANES_DOWN}u] = s${r}_${half};`)}
    }
    workgroupBarrier();
    let texel = group.x * ${TEXELS}u + ${first}u + lane / ${TILES}u;
    if (lane < ${ROUND * TILES}u && resultTile < dims.tiles && texel < dims.texels) {
${lines(FOUR, (i) => lines(FOUR, (j) => `      let p${i}_${j} = staged[${(i * 4 + j) * ROUND * TILES}u + lane];`))}
      ${transformCode(F2.ofProducts, 'p', 'o').replaceAll('\n', '\n      ')}
      ${parts.map(store).join('\n      ')}
    }
  }`;
})}`;
}
