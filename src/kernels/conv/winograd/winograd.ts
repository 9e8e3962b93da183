import { at, type DeviceTraits, type Problem } from '../../../engine/graph/tensor.js';
import { type FinishingVariant, NO_EPILOGUE } from '../../common/epilogue.js';
import { rankOf } from '../../product/tile-plan.js';
import { forwardGather, type Gather, inputGradientGather } from '../conv-gather.js';
import type { ConvGeometry } from '../conv-geometry.js';
import { speedOfTiles, timeOnLanes } from './expected-time.js';
import { F2, F4, type WinogradForm } from './transforms.js';
import { buildOnLanes, unfitForLanes } from './winograd-lanes.js';
import { buildOfTiles, unfitForTiles } from './winograd-tile.js';

/**
 * 3×3 convolutions and their input gradients with fewer multiplications (Lavin & Gray 2015, arXiv:1509.09308); an input
 * gradient is the convolution by the kernel turned by half a turn. On software adapters the transforms are steps of their
 * own (winograd-lanes.ts), on GPUs F(2×2, 3×3) is one kernel (winograd-tile.ts).
 *
 * Each kernel transforms the weights itself. That takes the time of some percent of the multiplications, but for small
 * images of very many channels, where these variants do not pay anyway. A transform that forward and gradient share would
 * have to be an op, traced before any variant is chosen, and would be kept from the one to the other.
 */
export const forward = [variant('winograd2x2', F2, forwardGather), variant('winograd4x4', F4, forwardGather)];
export const inputGradient = [
  variant('winograd2x2', F2, inputGradientGather),
  variant('winograd4x4', F4, inputGradientGather),
];

/** The part of the other kernels' time that this one must not exceed to be the rule's choice: its model may be off. */
const MARGIN = 0.8;

function variant(
  name: string,
  form: WinogradForm,
  gatherOf: (g: ConvGeometry) => Gather,
): FinishingVariant<ConvGeometry> {
  return {
    name,
    finishes: true,
    // Ten times the error is a choice of people, not of a rule.
    ...(form !== F2 && { optIn: true }),

    unfit(problem, traits) {
      const g = problem.attributes;
      if (g.kh !== 3 || g.kw !== 3) return 'no 3×3 kernel';
      if (g.strideY !== 1 || g.strideX !== 1) return 'strides';
      if (g.dilationY !== 1 || g.dilationX !== 1) return 'dilation';
      if (g.groups !== 1) return 'groups';
      const gather = gatherOf(g);
      return isOneKernel(form, traits)
        ? unfitForTiles(gather, traits)
        : unfitForLanes(form, gather, at(problem.inputs, 0), traits);
    },

    rank({ attributes: g }, traits) {
      const gather = gatherOf(g);
      // The ranks of the other kernels: conv-tile.ts and conv-lanes.ts.
      if (isOneKernel(form, traits)) return rankOf({ speed: MARGIN * speedOfTiles(gather, traits) });
      if (traits.kind === 'gpu') return 20;
      const time = timeOnLanes(form, gather, traits);
      return time < MARGIN ? time : 1 + time;
    },

    build(problem: Problem<ConvGeometry>, traits, epilogue = NO_EPILOGUE) {
      const gather = gatherOf(problem.attributes);
      return isOneKernel(form, traits)
        ? buildOfTiles(gather, problem, epilogue, traits)
        : buildOnLanes(form, gather, problem, epilogue, traits);
    },
  };
}

function isOneKernel(form: WinogradForm, { kind }: Pick<DeviceTraits, 'kind'>): boolean {
  return kind === 'gpu' && form === F2;
}
