import type { DeviceTraits, Kernel, KernelStep, Operand, Scratch } from '../engine/tensor.js';
import type { ConvGeometry } from './conv-geometry.js';
import { groupFor, type LaneGroup, workgroupsFor } from './lane-group.js';
import { addUp } from './split-sum.js';
import { linearTexture, type PaddedImage, stageImage } from './texture-operand.js';

/**
 * The weight gradient in the manner of conv-lanes.ts: dw[tap, c, o] = Σ over pixels x[pixel at tap, c] · dy[pixel, o].
 *
 * Here the sum runs over pixels, so a lane stands for a pixel: each loads a few texels of input channels of its own
 * pixel, and the group walks its pixels, broadcasting. Where there are few weights, the pixels are cut into shares.
 */
export function weightGradientKernel(g: ConvGeometry, image: PaddedImage, traits: DeviceTraits): Kernel {
  const scratch: Scratch[] = [];
  const steps: KernelStep[] = [];
  const addScratch = (need: Scratch): number => scratch.push(need) - 1;
  const staged = stageImage(image, { kind: 'input', index: 0 }, traits, addScratch, steps);

  const columns = g.o / 4;
  const pixels = g.n * g.oh * g.ow;
  const fold = linearTexture(pixels * columns, traits);
  if (!fold) throw new RangeError('conv lanes: dy does not fit a texture');
  const gradient = addScratch({ kind: 'texture', width: fold.width, height: fold.height });
  steps.push({ kind: 'texture-copy', from: { kind: 'input', index: 1 }, to: gradient });

  const group = groupFor(columns, traits);
  const columnsPerLane = columns > group.lanes ? 2 : 1;
  // Input channels of a unit, in texels, for one tap.
  const rowTexels = [8, 4, 2, 1].find((size) => size <= staged.texels && size * columnsPerLane <= 8) ?? 1;
  const channelBlocks = Math.ceil(staged.texels / rowTexels);
  const units = g.kh * g.kw * channelBlocks;
  const columnBlocks = Math.ceil(columns / (group.lanes * columnsPerLane));
  const blocks = Math.ceil(pixels / group.lanes);
  const splits = Math.max(1, Math.min(Math.ceil(64 / (units * columnBlocks)), Math.floor(blocks / 16)));
  const elements = g.kh * g.kw * g.c * g.o;
  const output: Operand = { kind: 'output', index: 0 };
  const partials: Operand =
    splits === 1
      ? output
      : { kind: 'scratch', index: addScratch({ kind: 'buffer', bytes: splits * elements * 4 }) };
  const { unitsPerWorkgroup, workgroups } = workgroupsFor(units, columnBlocks * splits);

  steps.push({
    kind: 'dispatch',
    enables: ['subgroups'],
    bindings: [
      { name: 'image', operand: { kind: 'scratch', index: staged.texture }, access: 'texture', type: '' },
      { name: 'gradient', operand: { kind: 'scratch', index: gradient }, access: 'texture', type: '' },
      { name: 'result', operand: partials, access: 'read_write', type: 'vec4f' },
    ],
    workgroups: [workgroups[0], columnBlocks, splits],
    dims: {
      units,
      channelBlocks,
      channels: g.c,
      columns,
      kw: g.kw,
      taps: g.kh * g.kw,
      tapStepX: g.dilationX * staged.texels,
      tapStepY: g.dilationY,
      pixels,
      share: Math.ceil(blocks / splits) * group.lanes,
      ow: g.ow,
      oh: g.oh,
      advanceX: g.strideX * staged.texels,
      advanceY: g.strideY,
      paddedH: image.paddedH,
      foldMask: fold.width - 1,
      foldShift: Math.log2(fold.width),
    },
    code: weightCode({ ...group, columnsPerLane, unitsPerWorkgroup }, rowTexels, pixels % group.lanes !== 0),
  });
  if (splits > 1) steps.push(addUp(partials, output, splits, elements, traits));
  return { scratch, steps };
}

/** Pixels beyond which a division by reciprocal in f32 is no longer exact; see `divide` in the kernel. */
export const MAX_PIXELS = 2 ** 22;

/**
 * @param ragged the pixels do not fill the last group of lanes: its idle lanes load the last pixel and count it as zero
 */
function weightCode(
  {
    lanes,
    columnsPerLane,
    unitsPerWorkgroup,
    broadcast,
  }: Pick<LaneGroup, 'lanes' | 'columnsPerLane' | 'unitsPerWorkgroup' | 'broadcast'>,
  rowTexels: number,
  ragged: boolean,
): string {
  const rows = rowTexels * 4;
  const each = (n: number, line: (i: number) => string) =>
    Array.from({ length: n }, (_, i) => line(i)).join('\n');
  return `
// Whole quotient by a precomputed reciprocal: a software adapter divides integers lane by lane. Exact while
// a · 2⁻²³ is below half of the divisor's reciprocal, that is for a < 2²².
fn divide(a: u32, reciprocal: f32) -> u32 { return u32((f32(a) + 0.5) * reciprocal); }
@compute @workgroup_size(${lanes * unitsPerWorkgroup})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let lane = index % ${lanes}u;
  let own = group.x * ${unitsPerWorkgroup}u + index / ${lanes}u;
  let unit = min(own, dims.units - 1u);
  let tap = unit / dims.channelBlocks;
  let channel = (unit - tap * dims.channelBlocks) * ${rowTexels}u;
  let column = group.y * ${lanes * columnsPerLane}u + lane;
  let tapX = (tap % dims.kw) * dims.tapStepX + channel;
  let tapY = (tap / dims.kw) * dims.tapStepY;
  let columns = dims.columns;
  let mask = dims.foldMask;
  let shift = dims.foldShift;
  let perW = 1.0 / f32(dims.ow);
  let perH = 1.0 / f32(dims.oh);
  let end = min((group.z + 1u) * dims.share, dims.pixels);
${each(rows, (r) => each(columnsPerLane, (j) => `  var s${r}_${j} = vec4f();`))}
  for (var p = group.z * dims.share; p < end; p += ${lanes}u) {
    let pixel = min(p + lane, dims.pixels - 1u);
    let line = divide(pixel, perW);
    let n = divide(line, perH);
    let x = (pixel - line * dims.ow) * dims.advanceX + tapX;
    let y = n * dims.paddedH + (line - n * dims.oh) * dims.advanceY + tapY;
${ragged ? '    let counted = select(0.0, 1.0, p + lane < dims.pixels);' : ''}
${each(rowTexels, (i) => `    let a${i} = ${ragged ? 'counted * ' : ''}textureLoad(image, vec2u(x + ${i}u, y));`)}
${each(
  lanes,
  (q) => `    let k${q} = ${ragged ? `min(p + ${q}u, dims.pixels - 1u)` : `(p + ${q}u)`} * columns + column;
${each(
  columnsPerLane,
  (j) => `    let k${q}_${j} = k${q} + ${j * lanes}u;
    let b${q}_${j} = textureLoad(gradient, vec2u(k${q}_${j} & mask, k${q}_${j} >> shift));`,
)}`,
)}
${each(
  rows,
  (r) => `    {
${each(lanes, (q) => `      let v${q} = vec4f(${broadcast}(a${r >> 2}[${r & 3}], ${q}u));`)}
${each(columnsPerLane, (j) => each(lanes, (q) => `      s${r}_${j} = fma(v${q}, b${q}_${j}, s${r}_${j});`))}
    }`,
)}
  }
  let row = (group.z * dims.taps + tap) * dims.channels + channel * 4u;
${each(
  rows,
  (r) => `  if (own < dims.units && channel * 4u + ${r}u < dims.channels) {
${each(columnsPerLane, (j) => `    if (column + ${j * lanes}u < columns) { result[(row + ${r}u) * columns + column + ${j * lanes}u] = s${r}_${j}; }`)}
  }`,
)}
}`;
}
