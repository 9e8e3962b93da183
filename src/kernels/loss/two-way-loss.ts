import { ShapeError } from '../../engine/errors.js';
import { at, describe, elementCount, type Op, sameShape, type Tensor } from '../../engine/graph/tensor.js';
import { gradientAtHand } from './loss.js';
import type { TwoWayAttributes } from './two-way-attributes.js';
import { twoWayKernel } from './two-way-kernel.js';

const twoWayOp: Op<TwoWayAttributes> = {
  name: 'twoWayLoss',

  infer([logits, targets, weights], { weighted }) {
    if (logits?.shape.length !== 2 || logits.dtype !== 'f32') {
      throw new ShapeError(`two-way: logits must be [N, C] f32, got ${logits && describe(logits)}`);
    }
    if (!targets || !sameShape(targets.shape, logits.shape) || targets.dtype !== 'f32') {
      throw new ShapeError(
        `two-way: targets must be ${describe(logits)} as the logits, got ${targets && describe(targets)}`,
      );
    }
    const n = at(logits.shape, 0);
    if (weighted && !(weights && sameShape(weights.shape, [n]) && weights.dtype === 'f32')) {
      throw new ShapeError(`two-way: sample weights must be [${n}] f32, got ${weights && describe(weights)}`);
    }
    return [
      { shape: [1], dtype: 'f32' },
      { shape: logits.shape, dtype: 'f32' },
    ];
  },

  vjp: gradientAtHand,

  // two exponentials an entry and direction for the sums, and again for the gradient
  flops: ({ inputs: [logits] }) => 120 * elementCount(logits?.shape ?? []),

  variants: [
    {
      name: 'segments',
      unfit: () => undefined,
      rank: () => 1,
      build: twoWayKernel,
    },
  ],
};

/**
 * @param logits [N, C] f32. An infinite or NaN logit makes the value, and the gradient of its row and column, NaN
 * @param targets [N, C] f32 in [0, 1]; NaN is unknown: such an entry is in no sum, and its gradient exactly 0. A soft
 *   target is among the positives with a weight of y, and among the negatives with 1 − y
 * @param weights [N] f32, not negative: a weight counts as so many copies of the image
 * @returns [1], differentiable with respect to the logits: the losses of all images and those of all classes, as
 *   - `mean`: the mean over images plus the mean over classes, each over those with a known positive (others have
 *     nothing to compare; 0 where there are none);
 *   - `sum`: the sum of both;
 *   - `batchmean`: that sum divided by N.
 */
export function twoWayLoss(
  attributes: Omit<TwoWayAttributes, 'weighted'>,
  logits: Tensor,
  targets: Tensor,
  weights?: Tensor,
): Tensor {
  const outputs = logits.graph.apply(twoWayOp, [logits, targets, ...(weights ? [weights] : [])], {
    ...attributes,
    weighted: weights !== undefined,
  });
  return at(outputs, 0);
}
