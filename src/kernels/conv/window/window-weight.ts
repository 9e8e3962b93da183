import {
  at,
  type DeviceTraits,
  type Kernel,
  type KernelStep,
  type Problem,
} from '../../../engine/graph/tensor.js';
import { flatGrid } from '../../common/grid.js';
import { storageType } from '../../common/storage-type.js';
import { splitSum } from '../../reduce/split-sum.js';
import type { ConvGeometry } from '../conv-geometry.js';
import {
  type ColumnGrid,
  chooseBlock,
  columnCode,
  columnDims,
  columnGrid,
  each,
  part,
  valuesOf,
  type WindowBlock,
} from './window-block.js';
import { LANES } from './window-gather.js';

/**
 * The weight gradient of a convolution in groups, for windows of any size and dilation, in the manner of
 * window-gather.ts: a lane owns one output channel and the weights of a few taps, and walks over the pixels of a share: a
 * few columns of dy at a time, which serve all of its taps. Shares are added up afterwards.
 */
export function windowWeightGradient(
  { inputs, attributes: g }: Problem<ConvGeometry>,
  traits: DeviceTraits,
): Kernel {
  const mixed = g.c / g.groups;
  const depth = mixed % 4 === 0 ? 4 : 1;
  const grid = columnGrid({ advance: g.strideX, tapStep: g.dilationX, taps: g.kw });
  const lanesOf = ({ rows, taps }: WindowBlock) =>
    g.o * (mixed / depth) * Math.ceil(g.kh / rows) * Math.ceil(g.kw / taps);
  const lines = g.n * g.oh;
  const block = chooseBlock(
    {
      rows: g.kh,
      width: g.ow,
      taps: g.kw,
      depth,
      grid,
      sums: ({ rows, taps }) => rows * taps * depth,
      shared: ({ columns }) => columns,
      lanes: (candidate) => lanesOf(candidate) * lines,
    },
    traits,
  );
  const lanes = lanesOf(block);
  const wanted = Math.ceil((traits.residentGroups * LANES) / lanes);
  const share = Math.max(1, Math.floor(lines / Math.min(wanted, lines)));
  const splits = Math.ceil(lines / share);
  const elements = g.kh * g.kw * mixed * g.o;
  return splitSum({ splits, elements, traits }, ({ target }): KernelStep[] => {
    const flat = flatGrid(lanes * splits, LANES, traits);
    return [
      {
        kind: 'dispatch',
        bindings: [
          {
            name: 'image',
            operand: { kind: 'input', index: 0 },
            access: 'read',
            type: storageType(at(inputs, 0), depth),
          },
          {
            name: 'gradient',
            operand: { kind: 'input', index: 1 },
            access: 'read',
            type: storageType(at(inputs, 1), 1),
          },
          { name: 'result', operand: target, access: 'read_write', type: 'f32' },
        ],
        workgroups: flat.workgroups,
        dims: {
          ...columnDims(g.ow, grid, block),
          groupsAcross: at(flat.workgroups, 0),
          items: lanes * splits,
          elements,
          lines,
          share,
          blocksX: Math.ceil(g.kw / block.taps),
          blocksY: Math.ceil(g.kh / block.rows),
          inputs: g.c / depth,
          outputs: g.o,
          groupInputs: mixed / depth,
          groupOutputs: g.o / g.groups,
          kh: g.kh,
          kw: g.kw,
          h: g.h,
          w: g.w,
          oh: g.oh,
          ow: g.ow,
          padY: g.padTop,
          padX: g.padLeft,
          advanceY: g.strideY,
          advanceX: g.strideX,
          tapStepY: g.dilationY,
        },
        code: weightCode(block, grid),
      },
    ];
  });
}

/** `sK_B_J`: the sum of tap B in row K of the lane's taps, for mixed channel J. `dC`: column C of dy. `vI`: value I of a row. `endK`: where row K ends. */
function weightCode(block: WindowBlock, grid: ColumnGrid): string {
  const { columns, rows, taps, depth } = block;
  const values = valuesOf(block, grid);
  const value = depth === 4 ? 'vec4f' : 'f32';
  const sums = each(rows, (k) => each(taps, (b) => each(depth, (j) => `  var s${k}_${b}_${j} = 0.0;`)));
  return `
@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let id = (group.y * dims.groupsAcross + group.x) * ${LANES}u + lane;
  if (id >= dims.items) { return; }
  let channel = id % dims.outputs;
  let q = id / dims.outputs % dims.groupInputs;
  var place = id / dims.outputs / dims.groupInputs;
  let kx = place % dims.blocksX * ${taps}u;
  place /= dims.blocksX;
  let ky = place % dims.blocksY * ${rows}u;
  let split = place / dims.blocksY;
  let first = channel / dims.groupOutputs * dims.groupInputs + q;
${sums}
  for (var line = split * dims.share; line < min((split + 1u) * dims.share, dims.lines); line++) {
    let n = line / dims.oh;
    let top = i32(line % dims.oh * dims.advanceY + ky * dims.tapStepY) - i32(dims.padY);
${each(
  rows,
  (k) => `    let y${k} = u32(top + i32(${k}u * dims.tapStepY));
    let end${k} = select(0u, dims.w, y${k} < dims.h);`,
)}
    if (${Array.from({ length: rows }, (_, k) => `end${k}`).join(' + ')} > 0u) {
    for (var strip = 0u; strip < dims.strips; strip++) {
      ${columnCode('strip')}
      // Beyond the left edge a place wraps around and is beyond the right one, too.
      let start = u32(left + i32(kx * dims.tapStepX));
${each(values, (i) => `      let x${i} = start + ${i}u * dims.tapStepX;`)}
${each(columns, (c) => `      let d${c} = select(0.0, f32(gradient[(line * dims.ow + column + ${c}u * dims.spacing) * dims.outputs + channel]), column + ${c}u * dims.spacing < dims.ow);`)}
${each(
  rows,
  (k) => `      {
        let p = ((n * dims.h + y${k}) * dims.w + start) * dims.inputs + first;
${each(values, (i) => `        let v${i} = select(${value}(), ${value}(image[p + ${i}u * dims.tapStepX * dims.inputs]), x${i} < end${k});`)}
${each(columns, (c) => each(taps, (b) => each(depth, (j) => `        s${k}_${b}_${j} = fma(${part(`v${c * grid.advance + b}`, j, block)}, d${c}, s${k}_${b}_${j});`)))}
      }`,
)}
    }
    }
  }
  let mixed = dims.groupInputs * ${depth}u;
${each(rows, (k) =>
  each(
    taps,
    (b) => `  if (ky + ${k}u < dims.kh && kx + ${b}u < dims.kw) {
    let row = split * dims.elements + (((ky + ${k}u) * dims.kw + kx + ${b}u) * mixed + q * ${depth}u) * dims.outputs + channel;
${each(depth, (j) => `    result[row + ${j}u * dims.outputs] = s${k}_${b}_${j};`)}
  }`,
  ),
)}
}`;
}
