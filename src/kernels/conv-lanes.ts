import {
  at,
  type DeviceTraits,
  type Kernel,
  type KernelStep,
  type Operand,
  type Problem,
  type Scratch,
  type TensorSpec,
  type Variant,
} from '../engine/tensor.js';
import { forwardGather, type Gather, inputGradientGather, pixelwise, type TapAxis } from './conv-gather.js';
import type { ConvGeometry } from './conv-geometry.js';
import { columnsBinding, gatherCode, textureBinding } from './conv-lanes-code.js';
import { MAX_PIXELS, weightGradientKernel } from './conv-lanes-weight.js';
import { type Epilogue, type FinishingVariant, NO_EPILOGUE } from './epilogue.js';
import { laneGroup, laneStyle, panelColumns, unfitForLanes } from './lane-group.js';
import { bufferPanels, copiesCut, type Panels, panelLayout, stagePanels } from './panels.js';
import { storageType } from './storage-type.js';
import {
  formatOf,
  imageTexture,
  linearTexture,
  type Stored,
  stageImage,
  texelBytes,
} from './texture-operand.js';
import { packWeights } from './weight-panels.js';

/**
 * Convolution for software adapters: register tiles without barriers, operands in storage textures.
 *
 * A group of lanes owns `rows` output pixels × `columns` texels of output channels a lane. In every step each lane
 * loads the next input texels of its own pixels (lane = pixel) and its own columns of the weights; then, pixel by
 * pixel, the input values are broadcast from the lane that loaded them. So every loaded texel is used by the whole
 * group, and nothing passes through memory that all lanes of a software adapter would take one by one.
 *
 * Forward and input gradient are the same gather, see conv-gather.ts.
 */
export const forward = gatherVariant((g) => g.c, forwardGather);

export const inputGradient = gatherVariant((g) => g.o, inputGradientGather);

export const weightGradient: Variant<ConvGeometry> = {
  name: 'lanes',
  unfit({ inputs, attributes }, traits) {
    const [x, dy] = [at(inputs, 0), at(inputs, 1)];
    const g = pixelwise(attributes, attributes.c, x, traits.maxTextureSide);
    const pixels = g.n * g.oh * g.ow;
    if (pixels > MAX_PIXELS) return `more than ${MAX_PIXELS} pixels`;
    if (g.o % 4 !== 0) return 'channels are not a multiple of 4';
    const fits =
      imageTexture(forwardGather(g).image, x, traits) && linearTexture(pixels * (g.o / 4), dy, traits);
    return unfitForLanes(g, traits) ?? (fits ? undefined : 'the operands do not fit a texture');
  },
  rank: (_, traits) => (traits.kind === 'software' ? 1 : 20),
  build({ inputs, attributes }, traits) {
    const [x, dy] = [at(inputs, 0), at(inputs, 1)];
    const g = pixelwise(attributes, attributes.c, x, traits.maxTextureSide);
    return weightGradientKernel(g, { image: forwardGather(g).image, x, dy }, traits);
  },
};

/** @param channels of the image that is gathered from */
function gatherVariant(
  channels: (g: ConvGeometry) => number,
  gatherOf: (g: ConvGeometry) => Gather,
): FinishingVariant<ConvGeometry> {
  const geometry = ({ inputs, attributes: g }: Problem<ConvGeometry>, traits: DeviceTraits) =>
    pixelwise(g, channels(g), at(inputs, 0), traits.maxTextureSide);
  return {
    name: 'lanes',
    finishes: true,
    unfit(problem, traits) {
      const g = geometry(problem, traits);
      return unfitForLanes(g, traits) ?? unfitTextures(gatherOf(g), problem, traits);
    },
    rank: (_, traits) => (traits.kind === 'software' ? 1 : 20),
    build: (problem, traits, epilogue = NO_EPILOGUE) =>
      buildGather(gatherOf(geometry(problem, traits)), problem, epilogue, traits),
  };
}

/** Image and weights, and the result. */
type Operands = Pick<Problem, 'inputs' | 'outputs'>;

function unfitTextures(gather: Gather, { inputs }: Operands, traits: DeviceTraits): string | undefined {
  const taps = Math.max(...gather.passes.map(({ y, x }) => y.taps.length * x.taps.length));
  const shape = weightShape(gather, taps, at(inputs, 1), traits);
  return imageTexture(gather.image, at(inputs, 0), traits) && panelLayout(shape, traits)
    ? undefined
    : 'the operands do not fit a texture';
}

function weightShape(gather: Gather, taps: number, stored: Stored, traits: DeviceTraits) {
  const { channels, groups, image } = gather;
  const columns = Math.ceil(channels / 4);
  const depth = Math.ceil(image.c / groups / 4) * 4;
  const panel = panelColumns(columns / groups, traits);
  return { rows: Math.max(1, taps) * depth, columns, panel, stored };
}

function buildGather(
  gather: Gather,
  { inputs, outputs }: Operands,
  epilogue: Epilogue,
  traits: DeviceTraits,
): Kernel {
  const scratch: Scratch[] = [];
  const steps: KernelStep[] = [];
  const addScratch = (need: Scratch): number => scratch.push(need) - 1;
  const [source, stored] = [at(inputs, 0), at(inputs, 1)];
  const image = stageImage(gather.image, source, { kind: 'input', index: 0 }, traits, addScratch, steps);
  for (const { y, x } of gather.passes) {
    const taps = y.taps.flatMap((ky) => x.taps.map((kx) => ky * gather.kw + kx));
    const weights = stageWeights(gather, taps, stored, traits, addScratch, steps);
    steps.push(
      gatherStep({ gather, y, x, image, source, weights, result: at(outputs, 0), epilogue, traits }),
    );
  }
  return { scratch, steps };
}

/** The weights of a pass's taps as [tap][input channel, rounded up to texels] × [output channel], in panels. */
function stageWeights(
  gather: Gather,
  taps: readonly number[],
  stored: Stored,
  traits: DeviceTraits,
  addScratch: (need: Scratch) => number,
  steps: KernelStep[],
): Panels {
  const shape = weightShape(gather, taps.length, stored, traits);
  const source: Operand = { kind: 'input', index: 1 };
  const natural =
    !gather.transposed && gather.groups === 1 && gather.image.c % 4 === 0 && gather.channels % 4 === 0;
  const inTexture = laneStyle(traits).columnsIn === 'texture';
  if (natural && !inTexture) return bufferPanels({ ...shape, operand: source });
  if (natural && copiesCut(shape)) return stagePanels(shape, source, traits, addScratch, steps);
  const layout = panelLayout(shape, traits);
  if (!layout) throw new RangeError('conv lanes: weights do not fit a texture');
  const { fold } = layout;
  const bytes = fold.width * fold.height * texelBytes(stored);
  const packed: Operand = { kind: 'scratch', index: addScratch({ kind: 'buffer', bytes }) };
  if (taps.length > 0) steps.push(packWeights(gather, taps, { ...layout, stored }, source, packed, traits));
  if (!inTexture) return { ...layout, stored, operand: packed };
  const format = formatOf(stored);
  const texture = addScratch({ kind: 'texture', width: fold.width, height: fold.height, format });
  if (taps.length > 0) steps.push({ kind: 'texture-copy', from: packed, to: texture });
  return { ...layout, stored, operand: { kind: 'scratch', index: texture } };
}

function gatherStep(pass: {
  gather: Gather;
  y: TapAxis;
  x: TapAxis;
  image: { texture: number; texels: number };
  source: Stored;
  weights: Panels;
  result: TensorSpec;
  epilogue: Epilogue;
  traits: DeviceTraits;
}): KernelStep {
  const { gather, y, x, image, source, weights, traits } = pass;
  const { channels, groups } = gather;
  const columns = Math.ceil(channels / 4);
  const vector = channels % 4 === 0;
  const type = storageType(pass.result, vector ? 4 : 1);
  const ending = pass.epilogue.emit(vector);
  const rows = gather.image.n * y.count * x.count;
  const style = laneStyle(traits);
  const group = laneGroup(rows, columns / groups, groups, traits);
  const groupTexels = image.texels / groups;
  // Taps side by side in the image are walked as one run of texels, as they lie in the weights too.
  const joined = x.tapStep === 1 && x.taps.length > 1 && groups === 1;
  const run = groupTexels * (joined ? x.taps.length : 1);
  const tapsX = joined ? 1 : x.taps.length;
  return {
    kind: 'dispatch',
    enables: ['subgroups'],
    bindings: [
      textureBinding('image', image.texture, source),
      columnsBinding('weights', weights, style),
      ...ending.bindings,
      { name: 'result', operand: { kind: 'output', index: 0 }, access: 'read_write', type },
    ],
    workgroups: group.workgroups,
    dims: {
      rows,
      columns,
      channels,
      run,
      groupTexels,
      groupPanels: group.workgroups[1] / groups,
      taps: y.taps.length * tapsX,
      tapsX: Math.max(1, tapsX),
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
      rowTexels: weights.rowTexels,
      panelTexels: weights.panelTexels,
      foldMask: weights.fold.width - 1,
      foldShift: Math.log2(weights.fold.width),
    },
    code: `${ending.declarations}${gatherCode(group, {
      unroll: run % style.texels === 0 ? style.texels : 1,
      vector,
      type,
      columnsIn: style.columnsIn,
    })}`,
  };
}
