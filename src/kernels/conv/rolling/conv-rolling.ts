import type { DeviceTraits, Problem, Variant } from '../../../engine/graph/tensor.js';
import { type FinishingVariant, NO_EPILOGUE } from '../../common/epilogue.js';
import { linearTexture } from '../../common/texture-operand.js';
import { forwardGather, type Gather, inputGradientGather } from '../conv-gather.js';
import type { ConvGeometry } from '../conv-geometry.js';
import { rollingGather } from './conv-rolling-gather.js';
import { rollingWeightGradient } from './conv-rolling-weight.js';
import { CHANNEL_LANE, type RollingLane, TEXEL_LANE } from './rolling-lane.js';

/**
 * Convolution in as many groups as channels (depthwise), or in groups of few channels. No matrix product worth tiling
 * hides in it, so it has kernels of its own: a lane holds all weights of its channels and walks down the rows. They come
 * in two forms: four channels a lane from textures, one channel a lane from buffers.
 */
interface Rolling {
  readonly forward: FinishingVariant<ConvGeometry>;
  readonly inputGradient: FinishingVariant<ConvGeometry>;
  readonly weightGradient: Variant<ConvGeometry>;
  /** Output 1 is the gradient of a bias. */
  readonly weightBiasGradient: Variant<ConvGeometry>;
}

export const texels: Rolling = rolling('rollingTexels', TEXEL_LANE, { software: 0, gpu: 20 });

export const channels: Rolling = rolling('rollingChannels', CHANNEL_LANE, { software: 20, gpu: 1 });

function rolling(
  name: string,
  lane: RollingLane,
  ranks: Readonly<Record<DeviceTraits['kind'], number>>,
): Rolling {
  const gatherVariant = (gatherOf: (g: ConvGeometry) => Gather): FinishingVariant<ConvGeometry> => ({
    name,
    finishes: true,
    unfit: (problem, traits) => unfit(problem, lane, traits),
    rank: (_, { kind }) => ranks[kind],
    build: (problem, traits, epilogue = NO_EPILOGUE) =>
      rollingGather(gatherOf(problem.attributes), { ...problem, epilogue }, lane, traits),
  });
  const weightVariant = (bias: boolean): Variant<ConvGeometry> => ({
    name,
    unfit: (problem, traits) => unfit(problem, lane, traits),
    rank: (_, { kind }) => ranks[kind],
    build: (problem, traits) => rollingWeightGradient(problem, lane, traits, bias),
  });
  return {
    forward: gatherVariant(forwardGather),
    inputGradient: gatherVariant(inputGradientGather),
    weightGradient: weightVariant(false),
    weightBiasGradient: weightVariant(true),
  };
}

/** Taps a side: more columns of the image than that would be at hand at once. */
const MAX_KERNEL = 7;

/** Registers of a lane for weights: all that a GPU has are about 256. */
const MOST_REGISTERS = 144;

function unfit(
  { inputs, attributes: g }: Problem<ConvGeometry>,
  lane: RollingLane,
  traits: DeviceTraits,
): string | undefined {
  if (g.groups === 1) return 'a single group';
  const perGroup = [g.c / g.groups, g.o / g.groups];
  const depthwise = perGroup.every((channels) => channels === 1);
  if (Math.max(g.kh, g.kw) > MAX_KERNEL) return `more than ${MAX_KERNEL} taps a side`;
  // A software adapter's registers end in the nearest cache, a GPU's in memory.
  const most = traits.kind === 'gpu' ? Math.min(lane.weights, MOST_REGISTERS / lane.width) : lane.weights;
  if (g.kh * g.kw * Math.max(...perGroup) > most) return `more than ${most} weights a channel`;
  if (g.dilationY > 1 || g.dilationX > 1) return 'dilated';
  if (g.strideY > Math.min(2, g.kh) || g.strideX > Math.min(2, g.kw)) {
    return 'a stride above 2, or larger than the kernel';
  }
  if (Math.max(g.padTop - g.kh, g.padLeft - g.kw) >= 0) return 'padding beyond the kernel';
  if ((depthwise ? [g.c] : perGroup).some((channels) => channels % lane.width !== 0)) {
    return `channels are not a multiple of ${lane.width}`;
  }
  const largest = Math.max(g.n * g.h * g.w * g.c, g.n * g.oh * g.ow * g.o);
  if (lane.source === 'texture' && inputs.some((input) => !linearTexture(largest / 4, input, traits))) {
    return 'the operands do not fit a texture';
  }
  return undefined;
}
