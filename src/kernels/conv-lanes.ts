import type { DeviceTraits, Kernel, KernelStep, Operand, Scratch, Variant } from '../engine/tensor.js';
import { forwardGather, type Gather, inputGradientGather, type TapAxis } from './conv-gather.js';
import type { ConvGeometry } from './conv-geometry.js';
import { MAX_PIXELS, weightGradientKernel } from './conv-lanes-weight.js';
import { type LaneGroup, laneGroup, unfitForLanes } from './lane-group.js';
import { imageTexture, type LinearTexture, linearTexture, stageImage } from './texture-operand.js';

/**
 * Convolution for software adapters: register tiles without barriers, operands in storage textures.
 *
 * A group of lanes owns `rows` output pixels × `columns` texels of output channels a lane. In every step each lane
 * loads the next input texel of its own pixel (lane = pixel) and its own columns of the weights; then, pixel by pixel,
 * the input values are broadcast from the lane that loaded them. So every loaded texel is used by the whole group, and
 * nothing passes through memory that all lanes of a software adapter would take one by one.
 *
 * Forward and input gradient are the same gather, see conv-gather.ts.
 */
export const forward: Variant<ConvGeometry> = {
  name: 'lanes',
  unfit: ({ attributes: g }, traits) =>
    unfitForLanes(g, g.o, traits) ?? unfitTextures(forwardGather(g), traits),
  rank: (_, traits) => (traits.kind === 'software' ? 1 : 20),
  build: ({ attributes: g }, traits) => buildGather(forwardGather(g), traits),
};

export const inputGradient: Variant<ConvGeometry> = {
  name: 'lanes',
  unfit: ({ attributes: g }, traits) =>
    unfitForLanes(g, g.c, traits) ?? unfitTextures(inputGradientGather(g), traits),
  rank: (_, traits) => (traits.kind === 'software' ? 1 : 20),
  build: ({ attributes: g }, traits) => buildGather(inputGradientGather(g), traits),
};

export const weightGradient: Variant<ConvGeometry> = {
  name: 'lanes',
  unfit({ attributes: g }, traits) {
    const pixels = g.n * g.oh * g.ow;
    if (pixels > MAX_PIXELS) return `more than ${MAX_PIXELS} pixels`;
    const fits = imageTexture(forwardGather(g).image, traits) && linearTexture(pixels * (g.o / 4), traits);
    return unfitForLanes(g, g.o, traits) ?? (fits ? undefined : 'the operands do not fit a texture');
  },
  rank: (_, traits) => (traits.kind === 'software' ? 1 : 20),
  build: ({ attributes: g }, traits) => weightGradientKernel(g, forwardGather(g).image, traits),
};

function unfitTextures(gather: Gather, traits: DeviceTraits): string | undefined {
  const taps = Math.max(...gather.passes.map(({ y, x }) => y.taps.length * x.taps.length));
  const texels = taps * Math.ceil(gather.image.c / 4) * gather.channels;
  return imageTexture(gather.image, traits) && linearTexture(texels, traits)
    ? undefined
    : 'the operands do not fit a texture';
}

function buildGather(gather: Gather, traits: DeviceTraits): Kernel {
  const scratch: Scratch[] = [];
  const steps: KernelStep[] = [];
  const addScratch = (need: Scratch): number => scratch.push(need) - 1;
  const image = stageImage(gather.image, { kind: 'input', index: 0 }, traits, addScratch, steps);
  const depth = image.texels * 4;

  for (const { y, x } of gather.passes) {
    const taps = y.taps.flatMap((ky) => x.taps.map((kx) => ky * gather.kw + kx));
    const fold = linearTexture(Math.max(1, taps.length) * depth * (gather.channels / 4), traits);
    if (!fold) throw new RangeError('conv lanes: weights do not fit a texture');
    const natural = !gather.transposed && gather.image.c % 4 === 0;
    let source: Operand = { kind: 'input', index: 1 };
    if (!natural && taps.length > 0) {
      const packed: Operand = {
        kind: 'scratch',
        index: addScratch({ kind: 'buffer', bytes: fold.width * fold.height * 16 }),
      };
      steps.push(packWeights(gather, taps, depth, source, packed, traits));
      source = packed;
    }
    const texture = addScratch({ kind: 'texture', width: fold.width, height: fold.height });
    if (taps.length > 0) steps.push({ kind: 'texture-copy', from: source, to: texture });
    steps.push(gatherStep({ gather, y, x, image, weights: { texture, fold }, traits }));
  }
  return { scratch, steps };
}

/** Weights as [tap of the pass][input channel, rounded up to texels][output channel]. */
function packWeights(
  gather: Gather,
  taps: readonly number[],
  depth: number,
  source: Operand,
  target: Operand,
  traits: DeviceTraits,
): KernelStep {
  const from = gather.image.c;
  const to = gather.channels;
  const columns = to / 4;
  const count = taps.length * depth * columns;
  const groups = Math.ceil(count / 64);
  const element = (j: number) =>
    gather.transposed
      ? `weights[(taps[tap] * ${to}u + column * 4u + ${j}u) * ${from}u + k]`
      : `weights[(taps[tap] * ${from}u + k) * ${to}u + column * 4u + ${j}u]`;
  const x = Math.min(groups, traits.maxWorkgroups);
  return {
    kind: 'dispatch',
    bindings: [
      { name: 'weights', operand: source, access: 'read', type: 'f32' },
      { name: 'packed', operand: target, access: 'read_write', type: 'vec4f' },
    ],
    workgroups: [x, Math.ceil(groups / x), 1],
    code: `const taps = array<u32, ${taps.length}>(${taps.map((tap) => `${tap}u`).join(', ')});
@compute @workgroup_size(64) fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * ${x}u + group.x) * 64u + lane;
  if (i >= ${count}u) { return; }
  let column = i % ${columns}u;
  let k = (i / ${columns}u) % ${depth}u;
  let tap = i / ${columns * depth}u;
  var texel = vec4f();
  if (k < ${from}u) { texel = vec4f(${[0, 1, 2, 3].map(element).join(', ')}); }
  packed[i] = texel;
}`,
  };
}

function gatherStep(pass: {
  gather: Gather;
  y: TapAxis;
  x: TapAxis;
  image: { texture: number; texels: number };
  weights: { texture: number; fold: LinearTexture };
  traits: DeviceTraits;
}): KernelStep {
  const { gather, y, x, image, weights, traits } = pass;
  const columns = gather.channels / 4;
  const rows = gather.image.n * y.count * x.count;
  const tile = laneGroup(rows, columns, traits);
  return {
    kind: 'dispatch',
    enables: ['subgroups'],
    bindings: [
      { name: 'image', operand: { kind: 'scratch', index: image.texture }, access: 'texture', type: '' },
      { name: 'weights', operand: { kind: 'scratch', index: weights.texture }, access: 'texture', type: '' },
      { name: 'result', operand: { kind: 'output', index: 0 }, access: 'read_write', type: 'vec4f' },
    ],
    workgroups: tile.workgroups,
    dims: {
      rows,
      columns,
      depth: image.texels,
      taps: y.taps.length * x.taps.length,
      tapsX: Math.max(1, x.taps.length),
      tapStepX: x.tapStep * image.texels,
      tapStepY: y.tapStep,
      countX: x.count,
      countY: y.count,
      advanceX: x.advance * image.texels,
      advanceY: y.advance,
      originX: x.origin * image.texels,
      originY: y.origin,
      paddedH: gather.image.paddedH,
      firstX: x.first,
      firstY: y.first,
      stepX: x.step,
      stepY: y.step,
      outH: gather.outH,
      outW: gather.outW,
      foldMask: weights.fold.width - 1,
      foldShift: Math.log2(weights.fold.width),
    },
    code: gatherCode(tile),
  };
}

/** The kernel depends on the shape of its tile only; all sizes come as `dims`. */
function gatherCode({ lanes, rowGroups, columnsPerLane, unitsPerWorkgroup, broadcast }: LaneGroup): string {
  const rowsPerUnit = rowGroups * lanes;
  const each = (n: number, line: (i: number) => string) =>
    Array.from({ length: n }, (_, i) => line(i)).join('\n');
  return `
struct Pixel { x: u32, y: u32, n: u32 }
fn split(pixel: u32) -> Pixel {
  let line = pixel / dims.countX;
  let n = line / dims.countY;
  return Pixel(pixel - line * dims.countX, line - n * dims.countY, n);
}
@compute @workgroup_size(${lanes * unitsPerWorkgroup})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let lane = index % ${lanes}u;
  let first = (group.x * ${unitsPerWorkgroup}u + index / ${lanes}u) * ${rowsPerUnit}u;
  let column = group.y * ${lanes * columnsPerLane}u + lane;
  let columns = dims.columns;
  let depth = dims.depth;
  let mask = dims.foldMask;
  let shift = dims.foldShift;
${each(
  rowGroups,
  (i) => `  let p${i} = split(min(first + ${i * lanes}u + lane, dims.rows - 1u));
  let x${i} = p${i}.x * dims.advanceX + dims.originX;
  let y${i} = p${i}.y * dims.advanceY + dims.originY + p${i}.n * dims.paddedH;`,
)}
${each(rowsPerUnit, (r) => each(columnsPerLane, (j) => `  var s${r}_${j} = vec4f();`))}
  var k = column;
  for (var tap = 0u; tap < dims.taps; tap++) {
    let tapX = (tap % dims.tapsX) * dims.tapStepX;
    let tapY = (tap / dims.tapsX) * dims.tapStepY;
    for (var c = 0u; c < depth; c++) {
${each(rowGroups, (i) => `      let a${i} = textureLoad(image, vec2u(x${i} + tapX + c, y${i} + tapY));`)}
${each(4, (q) =>
  each(
    columnsPerLane,
    (j) => `      let k${q}_${j} = k + ${j * lanes}u;
      let b${q}_${j} = textureLoad(weights, vec2u(k${q}_${j} & mask, k${q}_${j} >> shift));`,
  ).concat('\n      k += columns;'),
)}
${each(
  rowsPerUnit,
  (r) => `      {
${each(4, (q) => `        let v${q} = vec4f(${broadcast}(a${Math.floor(r / lanes)}[${q}], ${r % lanes}u));`)}
${each(columnsPerLane, (j) => each(4, (q) => `        s${r}_${j} = fma(v${q}, b${q}_${j}, s${r}_${j});`))}
      }`,
)}
    }
  }
${each(
  rowsPerUnit,
  (r) => `  if (first + ${r}u < dims.rows) {
    let p = split(first + ${r}u);
    let py = p.y * dims.stepY + dims.firstY;
    let px = p.x * dims.stepX + dims.firstX;
    let base = ((p.n * dims.outH + py) * dims.outW + px) * columns + column;
${each(columnsPerLane, (j) => `    if (column + ${j * lanes}u < columns) { result[base + ${j * lanes}u] = s${r}_${j}; }`)}
  }`,
)}
}`;
}
