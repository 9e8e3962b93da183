import { applyOne, at, elementCount, type Op, type Tensor } from '../../engine/graph/tensor.js';
import { flatGrid, flatStep } from '../common/grid.js';
import { byFirstAxis } from '../common/rows.js';
import { batchOf, rowOf } from './change-table.js';
import { claheTile } from './clahe-tile.js';
import { greyToLightness, lightnessToGrey } from './lightness.js';

/**
 * CLAHE (Zuiderveld 1994) as OpenCV 4.6 computes it at 8 bit: a picture is cut into tiles × tiles; each tile's histogram
 * is clipped, the clipped counts are shared out evenly, and its running sum is the tile's table of new levels. A pixel
 * takes its new level from the tables of the four nearest tiles, by bilinear interpolation.
 */

/** The way of a grey value to the level that is equalised, and back: 256 bytes each. */
export interface LevelCurves {
  readonly there: Uint8Array<ArrayBuffer>;
  readonly back: Uint8Array<ArrayBuffer>;
}

/**
 * Pictures, equalised where their row of `changes` says so; those come out in steps of 1/255.
 * @param curves by default those to L of CIELAB and back
 */
export function equaliseGrey(
  grey: Tensor,
  changes: Tensor,
  tiles: number,
  curves: LevelCurves = { there: greyToLightness(), back: lightnessToGrey() },
): Tensor {
  const words = [curves.there, curves.back].flatMap((curve) => [...new Uint32Array(curve.buffer)]);
  const levels = grey.graph.constant(Uint32Array.from(words), [words.length]);
  const tables = applyOne(tablesOp, [grey, changes, levels], { tiles });
  return applyOne(lookupOp, [grey, changes, levels, tables], { tiles });
}

interface ClaheAttributes {
  readonly tiles: number;
}

/** WGSL: the level of a grey value, from `levels`: 64 words of the way there, 64 of the way back. */
const LEVELS = `fn byteOf(word: u32, number: u32) -> u32 { return (word >> (8u * (number & 3u))) & 255u; }
fn levelOf(grey: f32) -> u32 {
  let byte = u32(round(clamp(grey, 0.0, 1.0) * 255.0));
  return byteOf(levels[byte >> 2u], byte);
}`;

/** (grey, changes, levels) → the tables [n, tiles², 64], four levels a word; those of pictures without CLAHE are not written. */
const tablesOp: Op<ClaheAttributes> = {
  name: 'claheTables',
  rows: (problem) => byFirstAxis(problem, [true, true, false]),
  infer: ([grey], { tiles }) => [{ shape: [at(grey?.shape ?? [], 0), tiles * tiles, 64], dtype: 'u32' }],
  flops: ({ inputs: [grey] }) => 3 * elementCount(grey?.shape ?? []),
  variants: [
    {
      name: 'workgroup',
      unfit: () => undefined,
      rank: () => 1,
      build({ inputs, attributes: { tiles } }, traits) {
        const { n, height, width } = batchOf(at(inputs, 0).shape);
        const tile = claheTile([height, width], tiles);
        const count = n * tiles * tiles;
        const grid = flatGrid(count * 64, 64, traits);
        const { whole } = rowOf(at(at(inputs, 1).shape, 1), 'picture');
        return {
          scratch: [],
          steps: [
            {
              kind: 'dispatch',
              bindings: [
                { name: 'x', operand: { kind: 'input', index: 0 }, access: 'read', type: 'f32' },
                { name: 'changes', operand: { kind: 'input', index: 1 }, access: 'read', type: 'u32' },
                { name: 'levels', operand: { kind: 'input', index: 2 }, access: 'read', type: 'u32' },
                { name: 'tables', operand: { kind: 'output', index: 0 }, access: 'read_write', type: 'u32' },
              ],
              workgroups: grid.workgroups,
              code: `${grid.code}${LEVELS}
var<workgroup> counts: array<atomic<u32>, 256>;
var<workgroup> excess: atomic<u32>;
var<workgroup> totals: array<u32, 64>;

${mirrored('row', height)}
${mirrored('column', width)}
@compute @workgroup_size(64) fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tile = flatIndex(group, 0u) / 64u;
  if (tile >= ${count}u) { return; }
  let picture = tile / ${tiles * tiles}u;
  let limit = ${whole('clipLimit')};
  if (limit == 0u) { return; }

  let top = tile / ${tiles}u % ${tiles}u * ${tile.height}u;
  let left = tile % ${tiles}u * ${tile.width}u;
  for (var k = lane; k < ${tile.area}u; k += 64u) {
    let place = row(top + k / ${tile.width}u) * ${width}u + column(left + k % ${tile.width}u);
    atomicAdd(&counts[levelOf(x[picture * ${height * width}u + place])], 1u);
  }
  workgroupBarrier();

  // A lane has four neighbouring levels from here on.
  let own = 4u * lane + vec4u(0u, 1u, 2u, 3u);
  let all = vec4u(atomicLoad(&counts[own.x]), atomicLoad(&counts[own.y]), atomicLoad(&counts[own.z]), atomicLoad(&counts[own.w]));
  var kept = min(all, vec4u(limit));
  let over = all - kept;
  atomicAdd(&excess, over.x + over.y + over.z + over.w);
  workgroupBarrier();

  // Each level gets as much of what was clipped; the rest goes to levels that are evenly spread, one each.
  let clipped = atomicLoad(&excess);
  let rest = clipped % 256u;
  let spread = 256u / max(rest, 1u);
  let takes = (own % vec4u(spread) == vec4u()) & (own / vec4u(spread) < vec4u(rest));
  kept += clipped / 256u + select(vec4u(), vec4u(1u), takes);
  totals[lane] = kept.x + kept.y + kept.z + kept.w;
  workgroupBarrier();

  var before = 0u;
  for (var k = 0u; k < lane; k++) { before += totals[k]; }
  let sums = before + vec4u(kept.x, kept.x + kept.y, kept.x + kept.y + kept.z, kept.x + kept.y + kept.z + kept.w);
  let to = vec4u(min(round(vec4f(sums) * ${Math.fround(255 / tile.area)}), vec4f(255.0)));
  tables[tile * 64u + lane] = to.x | (to.y << 8u) | (to.z << 16u) | (to.w << 24u);
}`,
            },
          ],
        };
      },
    },
  ],
};

/** (grey, changes, levels, tables) → equalised pictures. */
const lookupOp: Op<ClaheAttributes> = {
  name: 'claheGrey',
  rows: (problem) => byFirstAxis(problem, [true, true, false, true]),
  infer: ([grey]) => [{ shape: grey?.shape ?? [], dtype: 'f32' }],
  flops: ({ outputs: [y] }) => 20 * elementCount(y?.shape ?? []),
  variants: [
    {
      name: 'texels',
      unfit: () => undefined,
      rank: () => 1,
      build({ inputs, attributes: { tiles } }, traits) {
        const { n, height, width } = batchOf(at(inputs, 0).shape);
        const tile = claheTile([height, width], tiles);
        const unit = width % 4 === 0 ? 4 : 1;
        const type = unit === 4 ? 'vec4f' : 'f32';
        const texels = width / unit;
        const { whole } = rowOf(at(at(inputs, 1).shape, 1), 'picture');
        const one = (k: number, part: string) => `equalised(old${part}, column + ${k}u, above, below, fy)`;
        const step = flatStep(
          {
            count: n * height * texels,
            bindings: [
              { name: 'x', operand: { kind: 'input', index: 0 }, access: 'read', type },
              { name: 'changes', operand: { kind: 'input', index: 1 }, access: 'read', type: 'u32' },
              { name: 'levels', operand: { kind: 'input', index: 2 }, access: 'read', type: 'u32' },
              { name: 'tables', operand: { kind: 'input', index: 3 }, access: 'read', type: 'u32' },
              { name: 'y', operand: { kind: 'output', index: 0 }, access: 'read_write', type },
            ],
            declarations: `${LEVELS}
fn tableLevel(table: u32, level: u32) -> f32 { return f32(byteOf(tables[table + (level >> 2u)], level)); }
// above and below are the first tables of two rows of tiles, fy how far down the pixel lies between their centres
fn equalised(old: f32, column: u32, above: u32, below: u32, fy: f32) -> f32 {
  let level = levelOf(old);
  let across = f32(column) * ${Math.fround(1 / tile.width)} - 0.5;
  let fx = across - floor(across);
  let left = u32(max(i32(floor(across)), 0)) * 64u;
  let right = u32(min(i32(floor(across)) + 1, ${tiles - 1})) * 64u;
  let a = tableLevel(above + left, level) * (1.0 - fx) + tableLevel(above + right, level) * fx;
  let b = tableLevel(below + left, level) * (1.0 - fx) + tableLevel(below + right, level) * fx;
  let byte = u32(round(a * (1.0 - fy) + b * fy));
  return f32(byteOf(levels[64u + (byte >> 2u)], byte)) / 255.0;
}
fn out(i: u32) -> ${type} {
  let old = x[i];
  let picture = i / ${height * texels}u;
  if (${whole('clipLimit')} == 0u) { return old; }
  // in tiles, from the centre of the first; the outermost tiles stand for those beyond them
  let down = f32(i / ${texels}u % ${height}u) * ${Math.fround(1 / tile.height)} - 0.5;
  let above = (picture * ${tiles}u + u32(max(i32(floor(down)), 0))) * ${64 * tiles}u;
  let below = (picture * ${tiles}u + u32(min(i32(floor(down)) + 1, ${tiles - 1}))) * ${64 * tiles}u;
  let fy = down - floor(down);
  let column = i % ${texels}u * ${unit}u;
  return ${unit === 4 ? `vec4f(${[one(0, '.x'), one(1, '.y'), one(2, '.z'), one(3, '.w')].join(', ')})` : one(0, '')};
}`,
            body: 'y[id] = out(id);',
          },
          traits,
        );
        return { scratch: [], steps: [step] };
      },
    },
  ],
};

/** WGSL of a function that folds a place beyond the last back into a side of `size`, by mirrors that repeat no pixel. */
function mirrored(name: string, size: number): string {
  if (size === 1) return `fn ${name}(place: u32) -> u32 { return 0u; }`;
  const period = 2 * (size - 1);
  return `fn ${name}(place: u32) -> u32 {
  let folded = place % ${period}u;
  return min(folded, ${period}u - folded);
}`;
}
