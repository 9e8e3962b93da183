import {
  at,
  type DeviceTraits,
  type Kernel,
  type KernelStep,
  type Problem,
} from '../../../engine/graph/tensor.js';
import type { Epilogue } from '../../common/epilogue.js';
import { flatGrid } from '../../common/grid.js';
import { storageType } from '../../common/storage-type.js';
import type { Gather, TapAxis } from '../conv-gather.js';
import {
  type ColumnGrid,
  chooseBlock,
  columnCode,
  columnDims,
  columnGrid,
  each,
  part,
  stripsOf,
  valuesOf,
  type WindowBlock,
} from './window-block.js';

/**
 * Convolution in groups, forward and input gradient, for windows of any size and dilation.
 *
 * A lane owns one output channel and a few rows and columns of the output. It walks over the taps: a few neighbouring ones
 * of a row at a time, whose weights serve all of its rows, and whose input values serve all of its columns. Neighbouring
 * lanes have neighbouring channels.
 */
export function windowGather(
  gather: Gather,
  { inputs, outputs, epilogue }: Pick<Problem, 'inputs' | 'outputs'> & { readonly epilogue: Epilogue },
  traits: DeviceTraits,
): Kernel {
  const [imageType, tapType] = [at(inputs, 0), at(inputs, 1)];
  const type = storageType(at(outputs, 0), 1);
  const finish = epilogue.emit(false);
  const mixed = gather.image.c / gather.groups;
  const depth = mixed % 4 === 0 ? 4 : 1;
  const steps = gather.passes.map((pass): KernelStep => {
    const { dims, block, grid, items } = passWork(gather, pass, depth, traits);
    const flat = flatGrid(items, LANES, traits);
    return {
      kind: 'dispatch',
      bindings: [
        {
          name: 'image',
          operand: { kind: 'input', index: 0 },
          access: 'read',
          type: storageType(imageType, depth),
        },
        {
          name: 'taps',
          operand: { kind: 'input', index: 1 },
          access: 'read',
          type: storageType(tapType, gather.transposed ? depth : 1),
        },
        ...finish.bindings,
        { name: 'result', operand: { kind: 'output', index: 0 }, access: 'read_write', type },
      ],
      workgroups: flat.workgroups,
      dims: { ...dims, groupsAcross: at(flat.workgroups, 0) },
      code: `${finish.declarations}${gatherCode(block, grid, gather.transposed, type)}`,
    };
  });
  return { scratch: [], steps };
}

export const LANES = 64;

function passWork(
  { image, channels, groups, outH, outW, kw }: Gather,
  { y, x }: { y: TapAxis; x: TapAxis },
  depth: 1 | 4,
  traits: DeviceTraits,
) {
  const grid = columnGrid({ advance: x.advance, tapStep: x.tapStep, taps: x.taps.length });
  const block = chooseBlock(
    {
      rows: y.count,
      width: x.count,
      taps: x.taps.length,
      depth,
      grid,
      sums: ({ rows, columns }) => rows * columns,
      shared: ({ taps }) => taps * depth,
      lanes: (candidate) =>
        image.n * channels * Math.ceil(y.count / candidate.rows) * stripsOf(x.count, grid, candidate),
    },
    traits,
  );
  const [tapY = 0, nextY = tapY] = y.taps;
  const [tapX = 0, nextX = tapX] = x.taps;
  const columns = columnDims(x.count, grid, block);
  const blocks = Math.ceil(y.count / block.rows);
  const items = image.n * blocks * columns.strips * channels;
  const dims = {
    ...columns,
    items,
    blocks,
    // Channels are counted as they are loaded.
    inputs: image.c / depth,
    outputs: channels,
    groupInputs: image.c / groups / depth,
    groupOutputs: channels / groups,
    h: image.h,
    w: image.w,
    padY: image.top - y.origin,
    padX: image.left - x.origin,
    advanceY: y.advance,
    advanceX: x.advance,
    tapStepY: y.tapStep,
    tapsY: y.taps.length,
    tapsX: x.taps.length,
    countY: y.count,
    countX: x.count,
    outH,
    outW,
    firstY: y.first,
    firstX: x.first,
    stepY: y.step,
    stepX: x.step,
    tapFirst: tapY * kw + tapX,
    nextTapY: (nextY - tapY) * kw,
    nextTapX: nextX - tapX,
  };
  return { dims, block, grid, items };
}

/** `sR_C`: the sum of row R and column C. `endR`: where input row R ends. `wB_J`: the weight of tap B for mixed channel J. `vI`: value I of the current row. */
function gatherCode(block: WindowBlock, grid: ColumnGrid, transposed: boolean, stored: string): string {
  const { columns, rows, taps, depth } = block;
  const values = valuesOf(block, grid);
  const value = depth === 4 ? 'vec4f' : 'f32';
  const parts = Array.from({ length: depth }, (_, j) => j);
  const weights = transposed
    ? each(
        taps,
        (b) =>
          `        let w${b} = select(${value}(), ${value}(taps[(t${b} * dims.groupOutputs + inner) * dims.inputs + first + q]), kx + ${b}u < dims.tapsX);`,
      )
    : each(taps, (b) =>
        each(
          depth,
          (j) =>
            `        let w${b}_${j} = select(0.0, f32(taps[(t${b} * mixed + q * ${depth}u + ${j}u) * dims.outputs + channel]), kx + ${b}u < dims.tapsX);`,
        ),
      );
  const weight = (b: number, j: number) => (transposed ? part(`w${b}`, j, block) : `w${b}_${j}`);
  return `
@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let id = (group.y * dims.groupsAcross + group.x) * ${LANES}u + lane;
  if (id >= dims.items) { return; }
  let channel = id % dims.outputs;
  let place = id / dims.outputs;
  let strip = place % dims.strips;
  let block = place / dims.strips % dims.blocks;
  let n = place / dims.strips / dims.blocks;
  let first = channel / dims.groupOutputs * dims.groupInputs;
  let inner = channel % dims.groupOutputs;
  let mixed = dims.groupInputs * ${depth}u;
  ${columnCode('strip')}
  let top = i32(block * ${rows}u * dims.advanceY) - i32(dims.padY);
${each(rows, (r) => each(columns, (c) => `  var s${r}_${c} = 0.0;`))}
  for (var ky = 0u; ky < dims.tapsY; ky++) {
${each(
  rows,
  (r) => `    let y${r} = u32(top + i32(ky * dims.tapStepY + ${r}u * dims.advanceY));
    let end${r} = select(0u, dims.w, y${r} < dims.h);`,
)}
    if (${Array.from({ length: rows }, (_, r) => `end${r}`).join(' + ')} > 0u) {
    for (var kx = 0u; kx < dims.tapsX; kx += ${taps}u) {
      // Beyond the left edge a place wraps around and is beyond the right one, too.
      let start = u32(left + i32(kx * dims.tapStepX));
${each(values, (i) => `      let x${i} = start + ${i}u * dims.tapStepX;`)}
${each(taps, (b) => `      let t${b} = dims.tapFirst + ky * dims.nextTapY + (kx + ${b}u) * dims.nextTapX;`)}
${each(rows, (r) => `      let p${r} = ((n * dims.h + y${r}) * dims.w + start) * dims.inputs + first;`)}
      for (var q = 0u; q < dims.groupInputs; q++) {
${weights}
${each(
  rows,
  (r) => `        {
${each(values, (i) => `          let v${i} = select(${value}(), ${value}(image[p${r} + ${i}u * dims.tapStepX * dims.inputs + q]), x${i} < end${r});`)}
${parts.map((j) => each(taps, (b) => each(columns, (c) => `          s${r}_${c} = fma(${part(`v${c * grid.advance + b}`, j, block)}, ${weight(b, j)}, s${r}_${c});`))).join('\n')}
        }`,
)}
      }
    }
    }
  }
  let operands = columnOperands(channel);
${each(
  rows,
  (r) => `  if (block * ${rows}u + ${r}u < dims.countY) {
    let line = (n * dims.outH + dims.firstY + (block * ${rows}u + ${r}u) * dims.stepY) * dims.outW + dims.firstX;
${each(columns, (c) => `    if (column + ${c}u * dims.spacing < dims.countX) { let at = (line + (column + ${c}u * dims.spacing) * dims.stepX) * dims.outputs + channel; result[at] = ${stored}(finish(s${r}_${c}, at, operands)); }`)}
  }`,
)}
}`;
}
