import type { DeviceTraits, Kernel, KernelStep, Operand, Scratch } from '../../../engine/graph/tensor.js';
import { type PaddedImage, type Stored, stageImage } from '../../common/texture-operand.js';
import { addUp } from '../../reduce/split-sum.js';
import type { ConvGeometry } from '../conv-geometry.js';
import { columnsBinding, loadColumns, textureBinding } from './conv-lanes-code.js';
import { groupFor, type LaneGroup, laneStyle } from './lane-group.js';
import { matrixInBuffer, matrixInTexture, type PanelMatrix } from './panels.js';

/**
 * The weight gradient in the manner of conv-lanes.ts: dw[tap, c, o] = Σ over pixels x[pixel at tap, c] · dy[pixel, o].
 *
 * Here the sum runs over pixels, so a lane stands for a pixel: each loads a few texels of input channels of its own
 * pixel, and the group walks its pixels, broadcasting. Where there are few weights, the pixels are cut into shares.
 */
export function weightGradientKernel(
  g: ConvGeometry,
  { image, x, dy: stored }: { readonly image: PaddedImage; readonly x: Stored; readonly dy: Stored },
  traits: DeviceTraits,
): Kernel {
  const scratch: Scratch[] = [];
  const steps: KernelStep[] = [];
  const addScratch = (need: Scratch): number => scratch.push(need) - 1;
  const staged = stageImage(image, x, { kind: 'input', index: 0 }, traits, addScratch, steps);

  const columns = g.o / 4;
  const groupTexels = staged.texels / g.groups;
  const pixels = g.n * g.oh * g.ow;
  const group = groupFor(columns / g.groups, traits);
  const panel = group.lanes * group.columnsPerLane;
  const shape = { rows: pixels, columns, panel, stored };
  const style = laneStyle(traits);
  const gradient: Operand = { kind: 'input', index: 1 };
  const dy =
    style.columnsIn === 'buffer'
      ? matrixInBuffer({ ...shape, operand: gradient })
      : matrixInTexture(shape, gradient, traits, addScratch, steps);

  // Narrow channels of taps side by side are taken together, as they lie in the image: a run of texels.
  const most = style.rows / 4;
  const joined = staged.runs && staged.texels < most && g.groups === 1 && g.dilationX === 1 && g.kw > 1;
  const run = groupTexels * (joined ? g.kw : 1);
  const taps = g.kh * (joined ? 1 : g.kw);
  const runParts = Math.ceil(run / most);
  const rowTexels = Math.ceil(run / runParts);
  const units = taps * runParts;
  const panels = Math.ceil(columns / panel);
  const rounds = Math.ceil(pixels / group.lanes);
  const splits = Math.max(
    1,
    Math.min(Math.ceil(LEAST_UNITS / (units * panels)), Math.floor(rounds / LEAST_ROUNDS)),
  );
  const elements = (g.kh * g.kw * g.c * g.o) / g.groups;
  const output: Operand = { kind: 'output', index: 0 };
  const partials: Operand =
    splits === 1
      ? output
      : { kind: 'scratch', index: addScratch({ kind: 'buffer', bytes: splits * elements * 4 }) };

  steps.push({
    kind: 'dispatch',
    enables: ['subgroups'],
    bindings: [
      textureBinding('image', staged.texture, x),
      columnsBinding('gradient', dy),
      { name: 'result', operand: partials, access: 'read_write', type: 'vec4f' },
    ],
    workgroups: [units, panels, splits],
    dims: {
      run,
      runParts,
      texels: groupTexels,
      groupPanels: panels / g.groups,
      channels: g.c / g.groups,
      columns,
      elements: elements / 4,
      // Steps of a tap along the kernel's columns, and the columns that a step covers.
      tapsX: joined ? 1 : g.kw,
      tapSpan: joined ? g.kw : 1,
      tapStepX: g.dilationX * staged.texels,
      tapStepY: g.dilationY,
      pixels,
      share: Math.ceil(rounds / splits) * group.lanes,
      ow: g.ow,
      oh: g.oh,
      advanceX: g.strideX * staged.texels,
      advanceY: g.strideY,
      originX: staged.originX,
      originY: staged.originY,
      ...staged.dims,
      pitch: dy.rowTexels,
      panelTexels: dy.panelTexels,
      foldMask: dy.fold.width - 1,
      foldShift: Math.log2(dy.fold.width),
    },
    code: weightCode(group, { rowTexels, ragged: pixels % group.lanes !== 0, lieIn: dy.lieIn }),
  });
  if (splits === 1) return { scratch, steps };
  const last = addUp(partials, output, { splits, elements, traits }, scratch.length);
  return { scratch: [...scratch, ...last.scratch], steps: [...steps, ...last.steps] };
}

/** Units below which some core of a usual machine would have nothing to do. */
const LEAST_UNITS = 24;

/** Rounds of pixels, one a lane, that are worth a share of their own. */
const LEAST_ROUNDS = 16;

/** Pixels beyond which a division by reciprocal in f32 is no longer exact; see `divide` in the kernel. */
export const MAX_PIXELS = 2 ** 22;

/**
 * `sR_J`: the sum of input channel R and column J. `aI`: texel I of the lane's own pixel. `bQ_J`: column J of the gradient at
 * the pixel of lane Q. `vQ`: the value of that pixel, broadcast.
 *
 * Sample (weight gradient of a 1×1 convolution of 4 channels into 4, lanes of 4):
 *
 *     for (var p = group.z * dims.share; p < end; p += 4u) {
 *       …
 *       let a0 = select(vec4f(), textureLoad(image, vec2u(x + within + 0u, n * dims.imageRows + y)), counted);
 *       …
 *       let b0_0 = vec4f(gradient[k0_0]);
 *       …
 *       {
 *         let v0 = vec4f(subgroupBroadcast(a0[0], 0u));
 *         let v1 = vec4f(subgroupBroadcast(a0[0], 1u));
 *         …
 *         s0_0 = fma(v0, b0_0, s0_0);
 *         s0_0 = fma(v1, b1_0, s0_0);
 *         …
 *       }
 *       {
 *         let v0 = vec4f(subgroupBroadcast(a0[1], 0u));
 *         …
 *         s1_0 = fma(v0, b0_0, s1_0);
 */
function weightCode(
  { lanes, columnsPerLane, broadcast }: Pick<LaneGroup, 'lanes' | 'columnsPerLane' | 'broadcast'>,
  {
    rowTexels,
    ragged,
    lieIn,
  }: {
    /** Of a unit. */
    readonly rowTexels: number;
    /** The pixels do not fill the last group of lanes: its idle lanes load the last pixel and count it as zero. */
    readonly ragged: boolean;
    readonly lieIn: PanelMatrix['lieIn'];
  },
): string {
  const rows = rowTexels * 4;
  const each = (n: number, line: (i: number) => string) =>
    Array.from({ length: n }, (_, i) => line(i)).join('\n');
  return `
// Whole quotient by a precomputed reciprocal: a software adapter divides integers lane by lane. Exact while
// a · 2⁻²³ is below half of the divisor's reciprocal, that is for a < 2²².
fn divide(a: u32, reciprocal: f32) -> u32 { return u32((f32(a) + 0.5) * reciprocal); }
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tap = group.x / dims.runParts;
  let texel = (group.x - tap * dims.runParts) * ${rowTexels}u;
  let column = group.y * ${lanes * columnsPerLane}u + lane;
  let tapX = (tap % dims.tapsX) * dims.tapStepX + dims.originX;
  let tapY = (tap / dims.tapsX) * dims.tapStepY + dims.originY;
  let within = texel + (group.y / dims.groupPanels) * dims.texels;
  let first = group.y * dims.panelTexels + lane;
  let pitch = dims.pitch;
  let perW = 1.0 / f32(dims.ow);
  let perH = 1.0 / f32(dims.oh);
  let end = min((group.z + 1u) * dims.share, dims.pixels);
${each(rows, (r) => each(columnsPerLane, (j) => `  var s${r}_${j} = vec4f();`))}
  for (var p = group.z * dims.share; p < end; p += ${lanes}u) {
    let pixel = min(p + lane, dims.pixels - 1u);
    let line = divide(pixel, perW);
    let n = divide(line, perH);
    let x = (pixel - line * dims.ow) * dims.advanceX + tapX;
    let y = (line - n * dims.oh) * dims.advanceY + tapY;
    let counted = x < dims.imageTexels && y < dims.imageRows${ragged ? ' && p + lane < dims.pixels' : ''};
${each(rowTexels, (i) => `    let a${i} = select(vec4f(), textureLoad(image, vec2u(x + within + ${i}u, n * dims.imageRows + y)), counted);`)}
${each(
  lanes,
  (q) => `    let k${q} = ${ragged ? `min(p + ${q}u, dims.pixels - 1u)` : `(p + ${q}u)`} * pitch + first;
${each(
  columnsPerLane,
  (j) => `    let k${q}_${j} = k${q} + ${j * lanes}u;
    let b${q}_${j} = ${loadColumns('gradient', `k${q}_${j}`, lieIn)};`,
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
${each(
  rowTexels,
  (i) => `  if (texel + ${i}u < dims.run) {
    let aside = (texel + ${i}u) / dims.texels;
    let channel = (texel + ${i}u - aside * dims.texels) * 4u;
    let base = group.z * dims.elements + ((tap * dims.tapSpan + aside) * dims.channels + channel) * dims.columns + column;
${each(
  4,
  (q) => `    if (channel + ${q}u < dims.channels) {
${each(columnsPerLane, (j) => `      if (column + ${j * lanes}u < dims.columns) { result[base + ${q}u * dims.columns + ${j * lanes}u] = s${i * 4 + q}_${j}; }`)}
    }`,
)}
  }`,
)}
}`;
}
