import type { Tensor } from '../../engine/graph/tensor.js';
import { at } from '../../engine/graph/tensor.js';
import { fusedLoss } from '../../kernels/loss/loss.js';
import type { Reduction } from '../../kernels/loss/loss-attributes.js';
import { findLoss } from '../registry.js';
import type { ClassStatistics } from './class-statistics.js';
import type { BoundLoss, Loss } from './loss.js';
import { BEGINNING } from './reference-loss.js';

export type { Reduction };

export interface LossOptions extends Omit<ClassStatistics, 'classes'> {
  /** `mean` where left out. */
  readonly reduction?: Reduction | undefined;
  /** [N] f32, not negative: 0 leaves an image out of sum and mean. */
  readonly sampleWeights?: Tensor | undefined;
  /** [s] f32, what `EntryLoss.schedule` gives; where left out, the numbers of a training's beginning, for good. */
  readonly scheduled?: Tensor | undefined;
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
  options: LossOptions = {},
): Tensor {
  const bound = (typeof loss === 'string' ? findLoss(loss) : loss).bind(parameters);
  return traceBoundLoss(bound, logits, targets, options);
}

/** The same with parameters that are fixed already. */
export function traceBoundLoss(
  bound: BoundLoss,
  logits: Tensor,
  targets: Tensor,
  { reduction = 'mean', sampleWeights, scheduled, ...statistics }: LossOptions = {},
): Tensor {
  if (bound.kind === 'batch') return bound.trace({ logits, targets, reduction, sampleWeights });
  const { graph } = logits;
  const classes = at(logits.shape, -1);
  const rows = bound.classConstants({ classes, ...statistics });
  const numbers = bound.schedule(BEGINNING);
  const fixed = () =>
    numbers.length > 0 ? graph.constant(Float32Array.from(numbers), [numbers.length]) : undefined;
  return fusedLoss(
    {
      name: `loss:${bound.name}`,
      code: bound.wgsl,
      smoothing: bound.labelSmoothing,
      flops: bound.flops,
      row: bound.hasRow,
      reduction,
    },
    logits,
    targets,
    {
      constants:
        rows.length > 0 ? graph.constant(Float32Array.from(rows.flat()), [rows.length, classes]) : undefined,
      weights: sampleWeights,
      scheduled: scheduled ?? fixed(),
    },
  );
}
