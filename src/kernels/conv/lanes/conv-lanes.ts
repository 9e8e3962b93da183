import {
  at,
  type DeviceTraits,
  type Kernel,
  type KernelStep,
  type Problem,
  type Scratch,
  type TensorSpec,
  type Variant,
} from '../../../engine/graph/tensor.js';
import { type Epilogue, type FinishingVariant, NO_EPILOGUE } from '../../common/epilogue.js';
import { storageType } from '../../common/storage-type.js';
import {
  imageTexture,
  linearTexture,
  type StagedImage,
  type Stored,
  stageImage,
} from '../../common/texture-operand.js';
import {
  forwardGather,
  type Gather,
  inputGradientGather,
  patchwise,
  pixelwise,
  type TapAxis,
} from '../conv-gather.js';
import type { ConvGeometry } from '../conv-geometry.js';
import { columnsBinding, gatherCode, textureBinding } from './conv-lanes-code.js';
import { MAX_PIXELS, weightGradientKernel } from './conv-lanes-weight.js';
import { type GatherWeights, stageWeights, weightsFit } from './gather-weights.js';
import { laneGroup, unfitForLanes } from './lane-group.js';

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
export const forward = gatherVariant(onImage, forwardGather);

export const inputGradient = gatherVariant(onGradient, inputGradientGather);

export const weightGradient: Variant<ConvGeometry> = {
  name: 'lanes',
  unfit(problem, traits) {
    const [x, dy] = [at(problem.inputs, 0), at(problem.inputs, 1)];
    const g = onImage(problem, traits);
    const pixels = g.n * g.oh * g.ow;
    if (pixels > MAX_PIXELS) return `more than ${MAX_PIXELS} pixels`;
    if (g.o % 4 !== 0) return 'channels are not a multiple of 4';
    const fits =
      imageTexture(forwardGather(g).image, x, traits) && linearTexture(pixels * (g.o / 4), dy, traits);
    return unfitForLanes(g, traits) ?? (fits ? undefined : 'the operands do not fit a texture');
  },
  rank: (_, traits) => (traits.kind === 'software' ? 1 : 20),
  build(problem, traits) {
    const [x, dy] = [at(problem.inputs, 0), at(problem.inputs, 1)];
    const g = onImage(problem, traits);
    return weightGradientKernel(g, { image: forwardGather(g).image, x, dy }, traits);
  },
};

/** The sizes of a kernel that reads the image x. */
function onImage(
  { inputs, attributes }: Problem<ConvGeometry>,
  { maxTextureSide }: DeviceTraits,
): ConvGeometry {
  const g = patchwise(attributes);
  return pixelwise(g, g.c, at(inputs, 0), maxTextureSide);
}

/** The sizes of a kernel that reads the gradient dy. */
function onGradient(
  { inputs, attributes: g }: Problem<ConvGeometry>,
  { maxTextureSide }: DeviceTraits,
): ConvGeometry {
  return pixelwise(g, g.o, at(inputs, 0), maxTextureSide);
}

function gatherVariant(
  geometry: (problem: Problem<ConvGeometry>, traits: DeviceTraits) => ConvGeometry,
  gatherOf: (g: ConvGeometry) => Gather,
): FinishingVariant<ConvGeometry> {
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
  return imageTexture(gather.image, at(inputs, 0), traits) && weightsFit(gather, at(inputs, 1), traits)
    ? undefined
    : 'the operands do not fit a texture';
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
  const weightsOf = stageWeights({ gather, stored, traits, addScratch, steps });
  for (const { y, x } of gather.passes) {
    const weights = weightsOf(y, x);
    steps.push(
      gatherStep({ gather, y, x, image, source, weights, result: at(outputs, 0), epilogue, traits }),
    );
  }
  return { scratch, steps };
}

function gatherStep(pass: {
  gather: Gather;
  y: TapAxis;
  x: TapAxis;
  image: StagedImage;
  source: Stored;
  weights: GatherWeights;
  result: TensorSpec;
  epilogue: Epilogue;
  traits: DeviceTraits;
}): KernelStep {
  const { gather, y, x, image, source, weights, traits } = pass;
  const { channels, groups } = gather;
  const columns = Math.ceil(channels / 4);
  const vector = channels % 4 === 0;
  const type = storageType(pass.result, vector ? 4 : 1);
  const finish = pass.epilogue.emit(vector);
  const rows = gather.image.n * y.count * x.count;
  const group = laneGroup(rows, columns / groups, groups, traits);
  const groupTexels = image.texels / groups;
  // Taps side by side in the image are walked as one run of texels, where they lie so in the weights too.
  const aside = x.tapStep === 1 && x.taps.length > 1 && groups === 1;
  const joined = aside && image.runs && weights.texelsOf === 'outputs';
  const run = groupTexels * (joined ? x.taps.length : 1);
  const tapsX = joined ? 1 : x.taps.length;
  return {
    kind: 'dispatch',
    enables: ['subgroups'],
    bindings: [
      textureBinding('image', image.texture, source),
      columnsBinding('weights', weights),
      ...finish.bindings,
      { name: 'result', operand: { kind: 'output', index: 0 }, access: 'read_write', type },
    ],
    workgroups: group.workgroups,
    dims: {
      rows,
      columns,
      channels,
      run,
      groupTexels,
      groupRows: 0,
      groupPanels: group.workgroups[1] / groups,
      taps: y.taps.length * tapsX,
      tapsX: Math.max(1, tapsX),
      tapStepX: x.tapStep * image.texels,
      tapStepY: y.tapStep,
      countX: x.count,
      countY: y.count,
      advanceX: x.advance * image.texels,
      advanceY: y.advance,
      originX: x.origin * image.texels + image.originX,
      originY: y.origin + image.originY,
      ...image.dims,
      firstX: x.first,
      firstY: y.first,
      stepX: x.step,
      stepY: y.step,
      outH: gather.outH,
      outW: gather.outW,
      rowTexels: weights.rowTexels,
      panelTexels: weights.panelTexels,
      ...weights.dims,
      foldMask: weights.fold.width - 1,
      foldShift: Math.log2(weights.fold.width),
    },
    code: `${finish.declarations}${gatherCode(group, { vector, type, weights })}`,
  };
}
