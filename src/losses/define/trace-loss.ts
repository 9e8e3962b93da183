import type { Tensor } from '../../engine/graph/tensor.js';
import type { Reduction } from '../../kernels/loss/loss-attributes.js';
import { findLoss } from '../registry.js';
import type { Loss } from './loss.js';
import { type LossOptions, traceBoundLoss } from './trace-bound-loss.js';

export type { LossOptions, Reduction };

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
  options: LossOptions = {},
): Tensor {
  const bound = (typeof loss === 'string' ? findLoss(loss) : loss).bind(parameters);
  return traceBoundLoss(bound, logits, targets, options);
}
