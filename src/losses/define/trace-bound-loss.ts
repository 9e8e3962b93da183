import { at, type Tensor } from '../../engine/graph/tensor.js';
import { fusedLoss } from '../../kernels/loss/loss.js';
import type { Reduction } from '../../kernels/loss/loss-attributes.js';
import type { ClassStatistics } from './class-statistics.js';
import { LOGISTIC } from './logistic.js';
import type { BoundLoss } from './loss.js';
import { BEGINNING } from './reference-loss.js';

export interface LossOptions extends Omit<ClassStatistics, 'classes'> {
  /** `mean` where left out. */
  readonly reduction?: Reduction | undefined;
  /** [N] f32, not negative: 0 leaves an image out of sum and mean. */
  readonly sampleWeights?: Tensor | undefined;
  /** [s] f32, what `BoundLoss.schedule` gives; where left out, the numbers of a training's beginning, for good. */
  readonly scheduled?: Tensor | undefined;
  /** What a loss of batches keeps from step to step, by the names of `BatchLoss.state`; where left out, nothing is kept. */
  readonly state?: ReadonlyMap<string, Tensor> | undefined;
}

/** Adds a loss whose parameters are fixed already to the graph; see `traceLoss`. */
export function traceBoundLoss(
  bound: BoundLoss,
  logits: Tensor,
  targets: Tensor,
  { reduction = 'mean', sampleWeights, scheduled, state, ...statistics }: LossOptions = {},
): Tensor {
  if (bound.kind === 'batch') {
    return bound.trace({ logits, targets, reduction, sampleWeights, scheduled, state, statistics });
  }
  const { graph } = logits;
  const classes = at(logits.shape, -1);
  const rows = bound.classConstants({ classes, ...statistics });
  const numbers = bound.schedule(BEGINNING);
  const fixed = () =>
    numbers.length > 0 ? graph.constant(Float32Array.from(numbers), [numbers.length]) : undefined;
  return fusedLoss(
    {
      name: `loss:${bound.name}`,
      code: `${LOGISTIC}\n${bound.wgsl}`,
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
