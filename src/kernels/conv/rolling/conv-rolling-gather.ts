import {
  at,
  type DeviceTraits,
  elementBytes,
  type Kernel,
  type KernelStep,
  type Operand,
  type Problem,
} from '../../../engine/graph/tensor.js';
import type { Epilogue } from '../../common/epilogue.js';
import { type StorageType, storageType } from '../../common/storage-type.js';
import type { Stored } from '../../common/texture-operand.js';
import type { Gather, TapAxis } from '../conv-gather.js';
import { packWeights } from '../lanes/weight-panels.js';
import {
  columnsOfLane,
  each,
  elementType,
  fetch,
  fetchSetup,
  joined,
  type Mixing,
  mixedChannel,
  mixedValues,
  mixing,
  type Part,
  parts,
  type RollingLane,
  RollingSteps,
  type StagedOperand,
  shares,
} from './rolling-lane.js';

/**
 * Convolution of each channel by itself (depthwise) or in narrow groups, forward and input gradient, by rolling rows.
 *
 * A lane owns a few channels and a few neighbouring columns of the output, holds all their weights, and walks down the
 * rows of the input once. The rows of output that the current input row reaches are accumulators; after each step
 * they roll on by one, and the oldest is finished. So each input value is loaded once a lane for all rows of taps, no
 * border is ever written into memory (a value outside counts as zero when loaded), and rows outside are not walked.
 *
 * Steps: at step t the lane takes the `advance` input rows t·advance − pad, …; output row q gets its last contribution
 * at step q + depth − 1, where depth = ⌈taps / advance⌉ rows of accumulators roll.
 */
export function rollingGather(
  gather: Gather,
  { inputs, outputs, epilogue }: Pick<Problem, 'inputs' | 'outputs'> & { readonly epilogue: Epilogue },
  lane: RollingLane,
  traits: DeviceTraits,
): Kernel {
  const { image } = gather;
  const kernel = new RollingSteps(lane, traits);
  const elements = image.n * image.h * image.w * image.c;
  const source = kernel.stage('image', { kind: 'input', index: 0 }, at(inputs, 0), elements);
  const taps = stageTaps(gather, at(inputs, 1), kernel, lane, traits);
  const type = storageType(at(outputs, 0), lane.width);
  const operands = { source, taps, type, finish: epilogue.emit(lane.width === 4) };
  for (const pass of gather.passes) kernel.steps.push(passStep(gather, pass, operands, lane, traits));
  return kernel.kernel;
}

/** The weights as [tap][input channel within the group][output channel]: as they lie, but for mixing gradients. */
function stageTaps(
  gather: Gather,
  stored: Stored,
  kernel: RollingSteps,
  { width }: RollingLane,
  traits: DeviceTraits,
): StagedOperand {
  const { channels, groups, kh, kw, image } = gather;
  const weights: Operand = { kind: 'input', index: 1 };
  const perGroup = image.c / groups;
  if (!gather.transposed || (perGroup === 1 && channels === groups)) {
    const staged = kernel.stage('taps', weights, stored, kh * kw * perGroup * channels);
    return { ...staged, dims: { ...staged.dims, tapRows: perGroup, tapPitch: channels / width } };
  }
  const depth = Math.ceil(perGroup / 4) * 4;
  const columns = Math.ceil(channels / 4);
  const elements = kh * kw * depth * columns * 4;
  const packed = kernel.buffer(elements * elementBytes(stored.dtype));
  const all = Array.from({ length: kh * kw }, (_, tap) => tap);
  kernel.steps.push(packWeights(gather, all, { rowTexels: columns, stored }, weights, packed, traits));
  const staged = kernel.stage('taps', packed, stored, elements);
  return { ...staged, dims: { ...staged.dims, tapRows: depth, tapPitch: (columns * 4) / width } };
}

function passStep(
  { image, channels, groups, outH, outW, kw }: Gather,
  { y, x }: { y: TapAxis; x: TapAxis },
  {
    source,
    taps,
    type,
    finish,
  }: {
    source: StagedOperand;
    taps: StagedOperand;
    type: StorageType;
    finish: ReturnType<Epilogue['emit']>;
  },
  lane: RollingLane,
  traits: DeviceTraits,
): KernelStep {
  const mix = mixing(image.c, channels, groups, lane);
  const weights = y.taps.length * x.taps.length * Math.max(1, mix.mixed);
  const shape: RollingShape = {
    mix,
    tapsY: y.taps.length,
    tapsX: x.taps.length,
    advanceY: y.advance,
    advanceX: x.advance,
    columns: columnsOfLane({ width: x.count, stride: x.advance, weights }, lane),
  };
  const items = Math.ceil(x.count / shape.columns) * mix.outputs;
  const workgroups = Math.ceil(items / lane.lanes);
  const depth = depthOf(shape);
  const enough = lane.enough(traits);
  const share = shares({ workgroups, images: image.n, rows: y.count, overlap: depth - 1, enough }, traits);
  const [tapY = 0, nextY = tapY] = y.taps;
  const [tapX = 0, nextX = tapX] = x.taps;
  const padY = image.top - y.origin;
  return {
    kind: 'dispatch',
    bindings: [
      source.binding,
      taps.binding,
      ...finish.bindings,
      {
        name: 'result',
        operand: { kind: 'output', index: 0 },
        access: 'read_write',
        type,
      },
    ],
    workgroups: [workgroups, share.rows, share.images],
    dims: {
      ...source.dims,
      ...taps.dims,
      items,
      inputs: mix.inputs,
      outputs: mix.outputs,
      groupInputs: mix.groupInputs,
      groupOutputs: mix.groupOutputs,
      n: image.n,
      h: image.h,
      w: image.w,
      padY,
      padX: image.left - x.origin,
      countY: y.count,
      countX: x.count,
      // Steps that meet an input row at all.
      firstStep: Math.max(0, Math.floor(padY / y.advance)),
      endStep: Math.max(0, Math.ceil((image.h + padY) / y.advance)),
      rowShare: share.rowShare,
      imageShare: share.imageShare,
      outH,
      outW,
      firstY: y.first,
      firstX: x.first,
      stepY: y.step,
      stepX: x.step,
      tapFirst: tapY * kw + tapX,
      tapStepY: (nextY - tapY) * kw,
      tapStepX: nextX - tapX,
    },
    code: `${finish.declarations}${rollingCode(shape, type, lane)}`,
  };
}

/** The WGSL depends on this; all other sizes come as `dims`. */
interface RollingShape {
  readonly mix: Mixing;
  readonly tapsY: number;
  readonly tapsX: number;
  readonly advanceY: number;
  readonly advanceX: number;
  readonly columns: number;
}

function depthOf({ tapsY, advanceY }: RollingShape): number {
  return Math.ceil(tapsY / advanceY);
}

/**
 * `sJ_I`: output row t − J, column I. `vI_U`: value U of input column I of the current row. `wY_X_Q`: the weight of a tap
 * for mixed channel Q.
 *
 * Sample (depthwise 2×2 convolution, one channel a lane):
 *
 *     let w0_0_0 = f32(taps[t0_0_0]);
 *     …
 *     for (; t < min(i32(dims.endStep), end); t++) {
 *       s1_0 = s0_0;
 *       …
 *       s0_0 = 0.0;
 *       …
 *       let v0_0 = select(f32(), f32(image[p0_0]), in0);
 *       …
 *       s1_0 += v0_0 * w1_0_0;
 *       s1_0 += v1_0 * w1_1_0;
 *       s1_1 += v1_0 * w1_0_0;
 *       …
 *       s0_0 += v0_0 * w0_0_0;
 *       …
 *       if (t >= stored) {
 *         let p = place + u32(t - 1) * lineStep;
 *         if (column + 0u < countX) { let at = p + 0u * columnStep; result[at] = f32(finish(s1_0, at, operands)); }
 */
function rollingCode(shape: RollingShape, stored: StorageType, lane: RollingLane): string {
  const { mix, tapsY, tapsX, advanceY, advanceX, columns } = shape;
  const values = mixedValues(mix, lane);
  const rows = Math.max(1, mix.mixed);
  const depth = depthOf(shape);
  const width = (columns - 1) * advanceX + tapsX;
  const type = elementType(lane);
  const scalars = (line: (part: Part) => string) => parts(lane).map(line).join(' ');
  const roll = `${each(depth - 1, (j) =>
    each(columns, (i) =>
      scalars(({ name }) => `s${depth - 1 - j}_${i}${name} = s${depth - 2 - j}_${i}${name};`),
    ),
  )}
${each(columns, (i) => scalars(({ name }) => `s0_${i}${name} = 0.0;`))}`;
  // The oldest row first: its sums are the first to be wanted.
  const accumulate = (row: number) =>
    parts(lane)
      .map(({ name, member }) =>
        each(depth, (newer) => {
          const j = depth - 1 - newer;
          const ky = j * advanceY + row;
          if (ky >= tapsY) return '';
          return each(columns, (i) =>
            each(tapsX, (k) =>
              each(rows, (q) => {
                const v = `v${i * advanceX + k}`;
                const input = mix.mixed === 0 ? `${v}_0${member}` : mixedChannel(v, q, lane);
                return `s${j}_${i}${name} += ${input} * w${ky}_${k}_${q}${member};`;
              }),
            ),
          );
        }),
      )
      .join('\n');
  const store = `
      if (t >= stored) {
        let p = place + u32(t - ${depth - 1}) * lineStep;
${each(columns, (i) => `        if (column + ${i}u < countX) { let at = p + ${i}u * columnStep; result[at] = ${stored}(finish(${joined(lane, `s${depth - 1}_${i}`)}, at, operands)); }`)}
      }`;
  return `
@compute @workgroup_size(${lane.lanes})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let own = group.x * ${lane.lanes}u + index;
  let item = min(own, dims.items - 1u);
  let inputs = dims.inputs;
  let outputs = dims.outputs;
  let channel = item % outputs;
  let firstInput = (channel / dims.groupOutputs) * dims.groupInputs;
  let column = (item / outputs) * ${columns}u;
  let w = i32(dims.w);
${advanceY > 1 ? '  let h = i32(dims.h);' : ''}
  let padY = i32(dims.padY);
  let left = i32(column * ${advanceX}u) - i32(dims.padX);
  ${fetchSetup(lane, 'image')}
  ${fetchSetup(lane, 'taps')}
${each(tapsY, (y) =>
  each(
    tapsX,
    (x) => `  let t${y}_${x} = (dims.tapFirst + ${y}u * dims.tapStepY + ${x}u * dims.tapStepX) * dims.tapRows;
${each(
  rows,
  (q) => `  let t${y}_${x}_${q} = (t${y}_${x} + ${q}u) * dims.tapPitch + channel;
  let w${y}_${x}_${q} = ${fetch(lane, 'taps', `t${y}_${x}_${q}`)};`,
)}`,
  ),
)}
${each(
  width,
  (i) => `  let c${i} = u32(clamp(left + ${i}, 0, w - 1)) * inputs + firstInput;
  let in${i} = left + ${i} >= 0 && left + ${i} < w;`,
)}
  let q0 = i32(group.y * dims.rowShare);
  let q1 = min(q0 + i32(dims.rowShare), i32(dims.countY));
  let stored = q0 + ${depth - 1};
  let end = q1 + ${depth - 1};
  let lineStep = dims.stepY * dims.outW * outputs;
  let columnStep = dims.stepX * outputs;
  let countX = select(0u, dims.countX, own < dims.items);
  let operands = columnOperands(channel);
  for (var n = group.z * dims.imageShare; n < min((group.z + 1u) * dims.imageShare, dims.n); n++) {
${each(depth, (j) => each(columns, (i) => scalars(({ name }) => `var s${j}_${i}${name} = 0.0;`)))}
    let place = ((n * dims.outH + dims.firstY) * dims.outW + dims.firstX + column * dims.stepX) * outputs + channel;
    var t = clamp(i32(dims.firstStep), q0, stored);
    for (; t < min(i32(dims.endStep), end); t++) {
${roll}
${each(
  advanceY,
  (row) => `      {
      let y = t * ${advanceY} + ${row} - padY;
${advanceY > 1 ? 'let real = y >= 0 && y < h;' : ''}
      let line = (n * dims.h + u32(${advanceY > 1 ? 'clamp(y, 0, h - 1)' : 'y'})) * dims.w * inputs;
${each(width, (i) =>
  each(
    values,
    (u) => `      let p${i}_${u} = line + c${i} + ${u}u;
      let v${i}_${u} = select(${type}(), ${fetch(lane, 'image', `p${i}_${u}`)}, ${advanceY > 1 ? 'real && ' : ''}in${i});`,
  ),
)}
${accumulate(row)}
      }`,
)}
${store}
    }
    for (; t < end; t++) {
${roll}
${store}
    }
  }
}`;
}
