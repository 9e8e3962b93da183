import type { Tensor } from '../engine/tensor.js';
import { at } from '../engine/tensor.js';
import { fusedLoss } from '../kernels/loss.js';
import { add, div, greater, mul, sub } from '../kernels/pointwise-table.js';
import type { ClassStatistics, Loss } from './define-loss.js';
import { findLoss } from './registry.js';

/**
 * How the entries of [N, C] become one number, w_i being the sample weights (1 where none are given):
 * - `mean`: Σ w_i·L_ij / Σ w_i, both over the known entries; 0 where nothing is known. Does not depend on how many
 *   labels are unknown, nor on the number of classes.
 * - `sum`: Σ w_i·L_ij over the known entries.
 * - `batchmean`: that sum divided by N, known or not: a sum over classes, a mean over images.
 */
export type Reduction = 'mean' | 'sum' | 'batchmean';

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
  const { graph, shape } = logits;
  const bound = (typeof loss === 'string' ? findLoss(loss) : loss).bind(parameters);
  const classes = at(shape, -1);
  const rows = bound.classConstants({ classes, classCounts, samples });
  const constants =
    rows.length > 0 ? graph.constant(Float32Array.from(rows.flat()), [rows.length, classes]) : undefined;
  const { total, known } = fusedLoss(
    {
      name: `loss:${bound.name}`,
      code: bound.wgsl,
      smoothing: bound.labelSmoothing,
      flops: bound.flops,
    },
    logits,
    targets,
    { constants, weights: sampleWeights },
  );
  if (reduction === 'sum') return total;
  if (reduction === 'batchmean') return mul(total, 1 / at(shape, 0));
  // Where nothing is known the total is 0: divided by 1 it stays so.
  return div(total, add(known, sub(1, greater(known, 0))));
}
