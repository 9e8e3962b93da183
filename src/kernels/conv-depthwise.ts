import type { DeviceTraits, Variant } from '../engine/tensor.js';
import { forwardGather, type Gather, inputGradientGather } from './conv-gather.js';
import type { ConvGeometry } from './conv-geometry.js';
import { rollingGather } from './conv-rolling.js';
import { rollingWeightGradient } from './conv-rolling-weight.js';
import { CHANNEL_LANE, type RollingLane, TEXEL_LANE } from './rolling-lane.js';
import { linearTexture } from './texture-operand.js';

/**
 * Depthwise convolution: as many groups as channels. No product of matrices hides in it, so it has kernels of its own,
 * see conv-rolling.ts, in two forms: four channels a lane from textures, one channel a lane from buffers.
 */
interface Depthwise {
  readonly forward: Variant<ConvGeometry>;
  readonly inputGradient: Variant<ConvGeometry>;
  readonly weightGradient: Variant<ConvGeometry>;
}

export const texels: Depthwise = depthwise('depthwiseTexels', TEXEL_LANE, { software: 1, gpu: 20 });

export const channels: Depthwise = depthwise('depthwiseChannels', CHANNEL_LANE, { software: 20, gpu: 1 });

function depthwise(
  name: string,
  lane: RollingLane,
  ranks: Readonly<Record<DeviceTraits['kind'], number>>,
): Depthwise {
  const gatherVariant = (gatherOf: (g: ConvGeometry) => Gather): Variant<ConvGeometry> => ({
    name,
    unfit: ({ attributes: g }, traits) => unfit(g, lane, traits),
    rank: (_, { kind }) => ranks[kind],
    build: ({ attributes: g }, traits) => rollingGather(gatherOf(g), lane, traits),
  });
  return {
    forward: gatherVariant(forwardGather),
    inputGradient: gatherVariant(inputGradientGather),
    weightGradient: {
      name,
      unfit: ({ attributes: g }, traits) => unfit(g, lane, traits),
      rank: (_, { kind }) => ranks[kind],
      build: ({ attributes: g }, traits) => rollingWeightGradient(g, lane, traits),
    },
  };
}

/** Taps a side: all weights are held in registers, or near them. */
const MAX_KERNEL = 7;

function unfit(g: ConvGeometry, lane: RollingLane, traits: DeviceTraits): string | undefined {
  if (g.groups !== g.c || g.o !== g.c) return 'not depthwise';
  if (Math.max(g.kh, g.kw) > MAX_KERNEL) return `more than ${MAX_KERNEL} taps a side`;
  if (g.dilationY > 1 || g.dilationX > 1) return 'dilated';
  if (g.strideY > Math.min(2, g.kh) || g.strideX > Math.min(2, g.kw)) {
    return 'a stride above 2, or larger than the kernel';
  }
  if (Math.max(g.padTop - g.kh, g.padLeft - g.kw) >= 0) return 'padding beyond the kernel';
  if (g.c % lane.width !== 0) return `channels are not a multiple of ${lane.width}`;
  const pixels = g.n * Math.max(g.h * g.w, g.oh * g.ow);
  if (lane.source === 'texture' && !linearTexture((pixels * g.c) / 4, traits)) {
    return 'the operands do not fit a texture';
  }
  return undefined;
}
