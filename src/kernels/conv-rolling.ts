import type { DeviceTraits, Kernel, KernelStep } from '../engine/tensor.js';
import type { Gather, TapAxis } from './conv-gather.js';
import {
  columnsOfLane,
  each,
  elementType,
  fetch,
  fetchSetup,
  joined,
  type Part,
  parts,
  type RollingLane,
  RollingSteps,
  type StagedOperand,
  shares,
} from './rolling-lane.js';

/**
 * Convolution of each channel by itself (depthwise), forward and input gradient, by rolling rows.
 *
 * A lane owns a few channels and a few neighbouring columns of the output, holds all taps' weights, and walks down the
 * rows of the input once. The rows of output that the current input row reaches are accumulators; after each step
 * they roll on by one, and the oldest is finished. So each input value is loaded once a lane for all rows of taps, no
 * border is ever written into memory (what lies outside counts as zero when loaded), and rows outside are not walked.
 *
 * Steps: at step t the lane takes the `advance` input rows t·advance − pad, …; output row q gets its last contribution
 * at step q + depth − 1, where depth = ⌈taps / advance⌉ rows of accumulators roll.
 */
export function rollingGather(gather: Gather, lane: RollingLane, traits: DeviceTraits): Kernel {
  const { image } = gather;
  const kernel = new RollingSteps(lane, traits);
  const source = kernel.stage('image', { kind: 'input', index: 0 }, image.n * image.h * image.w * image.c);
  const taps = kernel.stage('taps', { kind: 'input', index: 1 }, gather.kw * gather.kh * image.c);
  for (const pass of gather.passes) kernel.steps.push(passStep(gather, pass, { source, taps }, lane));
  return kernel.kernel;
}

function passStep(
  { image, outH, outW, kw }: Gather,
  { y, x }: { y: TapAxis; x: TapAxis },
  { source, taps }: { source: StagedOperand; taps: StagedOperand },
  lane: RollingLane,
): KernelStep {
  const shape: RollingShape = {
    tapsY: y.taps.length,
    tapsX: x.taps.length,
    advanceY: y.advance,
    advanceX: x.advance,
    columns: columnsOfLane(x.count, x.advance, lane),
  };
  const channels = image.c / lane.width;
  const items = Math.ceil(x.count / shape.columns) * channels;
  const groups = Math.ceil(items / lane.lanes);
  const depth = depthOf(shape);
  const share = shares({ groups, images: image.n, rows: y.count, overlap: depth - 1 }, lane);
  const [tapY = 0, nextY = tapY] = y.taps;
  const [tapX = 0, nextX = tapX] = x.taps;
  const padY = image.top - y.origin;
  return {
    kind: 'dispatch',
    bindings: [
      source.binding,
      taps.binding,
      {
        name: 'result',
        operand: { kind: 'output', index: 0 },
        access: 'read_write',
        type: elementType(lane),
      },
    ],
    workgroups: [groups, share.rows, share.images],
    dims: {
      ...source.dims,
      ...taps.dims,
      items,
      channels,
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
    code: rollingCode(shape, lane),
  };
}

/** What the WGSL depends on; all else comes as `dims`. */
interface RollingShape {
  readonly tapsY: number;
  readonly tapsX: number;
  readonly advanceY: number;
  readonly advanceX: number;
  readonly columns: number;
}

function depthOf({ tapsY, advanceY }: RollingShape): number {
  return Math.ceil(tapsY / advanceY);
}

/** `sJ_I`: output row t − J, column I. `vI`: input column I of the current row. `wY_X`: the weight of a tap. */
function rollingCode(shape: RollingShape, lane: RollingLane): string {
  const { tapsY, tapsX, advanceY, advanceX, columns } = shape;
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
            each(tapsX, (k) => `s${j}_${i}${name} += v${i * advanceX + k}${member} * w${ky}_${k}${member};`),
          );
        }),
      )
      .join('\n');
  const store = `
      if (t >= stored) {
        let p = place + u32(t - ${depth - 1}) * lineStep;
${each(columns, (i) => `        if (column + ${i}u < countX) { result[p + ${i}u * columnStep] = ${joined(lane, `s${depth - 1}_${i}`)}; }`)}
      }`;
  return `
@compute @workgroup_size(${lane.lanes})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let own = group.x * ${lane.lanes}u + index;
  let item = min(own, dims.items - 1u);
  let channels = dims.channels;
  let channel = item % channels;
  let column = (item / channels) * ${columns}u;
  let w = i32(dims.w);
${advanceY > 1 ? '  let h = i32(dims.h);' : ''}
  let padY = i32(dims.padY);
  let left = i32(column * ${advanceX}u) - i32(dims.padX);
  ${fetchSetup(lane, 'image')}
  ${fetchSetup(lane, 'taps')}
${each(tapsY, (y) =>
  each(
    tapsX,
    (
      x,
    ) => `  let t${y}_${x} = (dims.tapFirst + ${y}u * dims.tapStepY + ${x}u * dims.tapStepX) * channels + channel;
  let w${y}_${x} = ${fetch(lane, 'taps', `t${y}_${x}`)};`,
  ),
)}
${each(
  width,
  (i) => `  let c${i} = u32(clamp(left + ${i}, 0, w - 1)) * channels + channel;
  let in${i} = left + ${i} >= 0 && left + ${i} < w;`,
)}
  let q0 = i32(group.y * dims.rowShare);
  let q1 = min(q0 + i32(dims.rowShare), i32(dims.countY));
  let stored = q0 + ${depth - 1};
  let end = q1 + ${depth - 1};
  let lineStep = dims.stepY * dims.outW * channels;
  let columnStep = dims.stepX * channels;
  let countX = select(0u, dims.countX, own < dims.items);
  for (var n = group.z * dims.imageShare; n < min((group.z + 1u) * dims.imageShare, dims.n); n++) {
${each(depth, (j) => each(columns, (i) => scalars(({ name }) => `var s${j}_${i}${name} = 0.0;`)))}
    let place = ((n * dims.outH + dims.firstY) * dims.outW + dims.firstX + column * dims.stepX) * channels + channel;
    var t = clamp(i32(dims.firstStep), q0, stored);
    for (; t < min(i32(dims.endStep), end); t++) {
${roll}
${each(
  advanceY,
  (row) => `      {
      let y = t * ${advanceY} + ${row} - padY;
${advanceY > 1 ? 'let real = y >= 0 && y < h;' : ''}
      let line = (n * dims.h + u32(${advanceY > 1 ? 'clamp(y, 0, h - 1)' : 'y'})) * dims.w * channels;
${each(
  width,
  (i) => `      let p${i} = line + c${i};
      let v${i} = select(${type}(), ${fetch(lane, 'image', `p${i}`)}, ${advanceY > 1 ? 'real && ' : ''}in${i});`,
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
