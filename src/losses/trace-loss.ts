import type { Tensor } from '../engine/tensor.js';
import { at } from '../engine/tensor.js';
import { fusedLoss, type Reduction } from '../kernels/loss.js';
import type { ClassStatistics, Loss } from './define-loss.js';
import { findLoss } from './registry.js';

export type { Reduction };

export interface LossOptions extends Omit<ClassStatistics, 'classes'> {
  /** `mean` where left out. */
  readonly reduction?: Reduction | undefined;
  /** [N] f32, not negative: 0 leaves an image out of sum and mean. */
  readonly sampleWeights?: Tensor | undefined;
}

/**
 * Adds a loss to the graph, as one fused kernel that also leaves the gradient.
 *
 * @param loss a registered name, or what `defineLoss` gave
 * @param parameters those of the loss, and `labelSmoothing`
 * @param logits [N, C] f32
 * @param targets [N, C] f32 in [0, 1]; NaN is unknown and adds exactly 0 to loss and gradient
 * @returns [1], differentiable with respect to the logits
 * Throws `LossError` for parameters or statistics that do not fit, `ShapeError` for shapes.
 */
export function traceLoss(
  loss: string | Loss,
  parameters: Readonly<Record<string, unknown>>,
  logits: Tensor,
  targets: Tensor,
  { reduction = 'mean', sampleWeights, classCounts, samples }: LossOptions = {},
): Tensor {
  const { graph } = logits;
  const bound = (typeof loss === 'string' ? findLoss(loss) : loss).bind(parameters);
  const classes = at(logits.shape, -1);
  const rows = bound.classConstants({ classes, classCounts, samples });
  const constants =
    rows.length > 0 ? graph.constant(Float32Array.from(rows.flat()), [rows.length, classes]) : undefined;
  return fusedLoss(
    {
      name: `loss:${bound.name}`,
      code: bound.wgsl,
      smoothing: bound.labelSmoothing,
      flops: bound.flops,
      reduction,
    },
    logits,
    targets,
    { constants, weights: sampleWeights },
  );
}
