import type { Binding } from '../../../engine/graph/tensor.js';
import { type StorageType, storageType } from '../../common/storage-type.js';
import { formatOf, type Stored } from '../../common/texture-operand.js';
import type { GatherWeights } from './gather-weights.js';
import type { LaneGroup } from './lane-group.js';
import type { PanelMatrix } from './panels.js';

/** A scratch texture as a binding. */
export function textureBinding(name: string, index: number, stored: Stored): Binding {
  return { name, operand: { kind: 'scratch', index }, access: 'texture', type: formatOf(stored) };
}

/** The operand that lanes read side by side, as a binding and as the load of its texel number `index`. */
export function columnsBinding(name: string, { operand, stored, lieIn }: PanelMatrix): Binding {
  return lieIn === 'texture'
    ? { name, operand, access: 'texture', type: formatOf(stored) }
    : { name, operand, access: 'read', type: storageType(stored, 4) };
}

export function loadColumns(name: string, index: string, lieIn: PanelMatrix['lieIn']): string {
  return lieIn === 'texture'
    ? `textureLoad(${name}, vec2u(${index} & dims.foldMask, ${index} >> dims.foldShift))`
    : `vec4f(${name}[${index}])`;
}

/**
 * The WGSL of conv-lanes.ts. It depends on the shape of a unit only; all sizes come as `dims`. A round of the inner loop
 * takes one texel of four inputs: two would double its code, which then no longer fits a core's first cache for code.
 *
 * `sR_J`: the sum of row R and column J of the lane. `aI`: the next texel of the lane's own pixel in row group I. `bQ_J`: the
 * weights of depth Q and column J. `vQ`: depth Q of the row's pixel, broadcast from the lane that has loaded it.
 *
 * Sample (1×1 convolution of 4 channels into 4, lanes of 4):
 *
 *     var s0_0 = vec4f();
 *     …
 *     for (var tap = 0u; tap < dims.taps; tap++) {
 *       …
 *       for (var c = 0u; c < run; c++) {
 *         let a0 = select(vec4f(), textureLoad(image, vec2u(tx0 + groupX + c, n0 + ty0)), inside0);
 *         let k0_0 = k + 0u;
 *         let b0_0 = vec4f(weights[k0_0]);
 *         k += rowTexels;
 *         …
 *         {
 *           let v0 = vec4f(subgroupBroadcast(a0[0], 0u));
 *           …
 *           s0_0 = fma(v0, b0_0, s0_0);
 *           s0_0 = fma(v1, b1_0, s0_0);
 *           s0_0 = fma(v2, b2_0, s0_0);
 *           s0_0 = fma(v3, b3_0, s0_0);
 *         }
 *         {
 *           let v0 = vec4f(subgroupBroadcast(a0[0], 1u));
 *           …
 *           s1_0 = fma(v0, b0_0, s1_0);
 */
export function gatherCode(
  { lanes, rowGroups, columnsPerLane, unitsPerWorkgroup, broadcast }: LaneGroup,
  {
    vector,
    type,
    weights,
  }: {
    /** Whether the result is stored in fours. */
    readonly vector: boolean;
    /** Of the stored result. */
    readonly type: StorageType;
    readonly weights: Pick<GatherWeights, 'lieIn' | 'texelsOf'>;
  },
): string {
  const rowsPerUnit = rowGroups * lanes;
  const each = (n: number, line: (i: number) => string) =>
    Array.from({ length: n }, (_, i) => line(i)).join('\n');
  const list = (n: number, item: (i: number) => string) =>
    Array.from({ length: n }, (_, i) => item(i)).join(', ');
  // Columns of a lane in the units of the epilogue: texels, or their channels.
  const width = vector ? 'dims.columns' : 'dims.channels';
  const perTexel = vector ? 1 : 4;
  const stored = columnsPerLane * perTexel;
  const columnOf = (i: number) =>
    vector ? `column + ${i * lanes}u` : `(column + ${(i >> 2) * lanes}u) * 4u + ${i & 3}u`;
  const sumOf = (i: number) =>
    vector ? `sums[r * ${stored}u + ${i}u]` : `sums[r * ${columnsPerLane}u + ${i >> 2}u][${i & 3}]`;
  const load = (index: string) => loadColumns('weights', index, weights.lieIn);
  const byInputs = weights.texelsOf === 'inputs';
  const beforeTaps = byInputs
    ? `  let inputs = groupX;
  let columnsOfGroup = dims.columnsOfGroup;
${each(columnsPerLane, (j) => `  let w${j} = min((group.y % dims.groupPanels) * ${lanes * columnsPerLane}u + lane + ${j * lanes}u, columnsOfGroup - 1u) * 4u * rowTexels;`)}`
    : '  var k = group.y * dims.panelTexels + lane;';
  // A texel of four inputs for one output channel: four of them, of four channels, are transposed by naming their parts.
  const loadWeights = byInputs
    ? `      let depth = inputs + c;
      let k = tapTexel + (depth >> dims.panelShift) * dims.panelTexels + (depth & dims.panelMask);
${each(columnsPerLane, (j) =>
  each(
    4,
    (i) => `      let i${j}_${i} = k + w${j} + ${i}u * rowTexels;
      let t${j}_${i} = ${load(`i${j}_${i}`)};`,
  ),
)}
${each(4, (q) =>
  each(columnsPerLane, (j) => `      let b${q}_${j} = vec4f(${list(4, (i) => `t${j}_${i}[${q}]`)});`),
)}`
    : each(4, (q) =>
        each(
          columnsPerLane,
          (j) => `      let k${q}_${j} = k + ${j * lanes}u;
      let b${q}_${j} = ${load(`k${q}_${j}`)};`,
        ).concat('\n      k += rowTexels;'),
      );
  return `
struct Pixel { x: u32, y: u32, n: u32 }
fn unravel(pixel: u32) -> Pixel {
  let line = pixel / dims.countX;
  let n = line / dims.countY;
  return Pixel(pixel - line * dims.countX, line - n * dims.countY, n);
}
// Where the result of a pixel begins.
fn place(p: Pixel) -> u32 {
  let pixel = (p.n * dims.outH + p.y * dims.stepY + dims.firstY) * dims.outW + p.x * dims.stepX + dims.firstX;
  return pixel * ${width};
}
@compute @workgroup_size(${lanes * unitsPerWorkgroup})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let lane = index % ${lanes}u;
  let first = (group.x * ${unitsPerWorkgroup}u + index / ${lanes}u) * ${rowsPerUnit}u;
  let rowTexels = dims.rowTexels;
  let groupX = (group.y / dims.groupPanels) * dims.groupTexels;
  let groupY = (group.y / dims.groupPanels) * dims.groupRows;
  let run = dims.run;
${each(
  rowGroups,
  (i) => `  let p${i} = unravel(min(first + ${i * lanes}u + lane, dims.rows - 1u));
  let x${i} = p${i}.x * dims.advanceX + dims.originX;
  let y${i} = p${i}.y * dims.advanceY + dims.originY;
  let n${i} = p${i}.n * dims.imageRows + groupY;`,
)}
${each(rowsPerUnit, (r) => each(columnsPerLane, (j) => `  var s${r}_${j} = vec4f();`))}
${beforeTaps}
  for (var tap = 0u; tap < dims.taps; tap++) {
    let stepY = tap / dims.tapsX;
    let stepX = tap - stepY * dims.tapsX;
    let tapX = stepX * dims.tapStepX;
    let tapY = stepY * dims.tapStepY;
${byInputs ? '    let tapTexel = dims.tapTexel + stepX * dims.tapTexelsX + stepY * dims.tapTexelsY;' : ''}
${each(
  rowGroups,
  (i) => `    let tx${i} = x${i} + tapX;
    let ty${i} = y${i} + tapY;
    let inside${i} = tx${i} < dims.imageTexels && ty${i} < dims.imageRows;`,
)}
    for (var c = 0u; c < run; c++) {
${each(rowGroups, (i) => `      let a${i} = select(vec4f(), textureLoad(image, vec2u(tx${i} + groupX + c, n${i} + ty${i})), inside${i});`)}
${loadWeights}
${each(
  rowsPerUnit,
  (r) => `      {
${each(4, (q) => `        let v${q} = vec4f(${broadcast}(a${Math.floor(r / lanes)}[${q}], ${r % lanes}u));`)}
${each(columnsPerLane, (j) => each(4, (q) => `        s${r}_${j} = fma(v${q}, b${q}_${j}, s${r}_${j});`))}
      }`,
)}
    }
  }
  let column = group.y * ${lanes * columnsPerLane}u + lane;
${each(
  stored,
  (i) => `  let column${i} = ${columnOf(i)};
  let operands${i} = columnOperands(column${i});`,
)}
${each(rowGroups, (i) => `  let place${i} = place(p${i});`)}
  // Stores go in a loop: written out they are three quarters of the kernel's compilation. The compiler must not know how
  // long it is, or it writes it out again. Indexing registers costs sums of 64 terms and less about a tenth.
  let places = array<u32, ${rowsPerUnit}>(${list(rowsPerUnit, (r) => `${broadcast}(place${Math.floor(r / lanes)}, ${r % lanes}u)`)});
  let sums = array<vec4f, ${rowsPerUnit * columnsPerLane}>(${list(rowsPerUnit, (r) => list(columnsPerLane, (j) => `s${r}_${j}`))});
  for (var r = 0u; r < ${rowsPerUnit}u && first + r < dims.rows; r++) {
${each(
  stored,
  (i) => `    if (column${i} < ${width}) {
      let at = places[r] + column${i};
      result[at] = ${type}(finish(${sumOf(i)}, at, operands${i}));
    }`,
)}
  }
}`;
}
