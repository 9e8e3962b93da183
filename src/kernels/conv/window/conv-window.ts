import type { Problem, Variant } from '../../../engine/graph/tensor.js';
import { type FinishingVariant, NO_EPILOGUE } from '../../common/epilogue.js';
import { forwardGather, type Gather, inputGradientGather } from '../conv-gather.js';
import type { ConvGeometry } from '../conv-geometry.js';
import { windowGather } from './window-gather.js';
import { windowWeightGradient } from './window-weight.js';

/**
 * Convolution in groups for GPUs where the rolling kernels (conv-rolling.ts) end: large windows, dilated ones, groups of
 * many channels. Blocks of output (or of weights) stay in registers, and the taps are walked in a loop.
 */
const NAME = 'window';

function unfit({ attributes: { groups } }: Problem<ConvGeometry>): string | undefined {
  return groups === 1 ? 'a single group' : undefined;
}

function gatherVariant(gatherOf: (g: ConvGeometry) => Gather): FinishingVariant<ConvGeometry> {
  return {
    name: NAME,
    finishes: true,
    unfit,
    rank: (_, { kind }) => (kind === 'gpu' ? 10 : 110),
    build: (problem, traits, epilogue = NO_EPILOGUE) =>
      windowGather(gatherOf(problem.attributes), { ...problem, epilogue }, traits),
  };
}

export const forward = gatherVariant(forwardGather);
export const inputGradient = gatherVariant(inputGradientGather);

export const weightGradient: Variant<ConvGeometry> = {
  name: NAME,
  unfit,
  rank: (_, { kind }) => (kind === 'gpu' ? 10 : 110),
  build: windowWeightGradient,
};
