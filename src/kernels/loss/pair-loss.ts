import { ShapeError } from '../../engine/errors.js';
import { at, describe, elementCount, type Op, sameShape, type Tensor } from '../../engine/graph/tensor.js';
import { gradientAtHand } from './loss.js';
import type { PairLossAttributes } from './pair-attributes.js';
import { pairKernel } from './pair-kernel.js';
import { scoreMemoryShape } from './score-memory.js';

const pairLossOp: Op<PairLossAttributes> = {
  name: 'pairLoss',

  infer([logits, targets, ...rest], { name, weighted, remembered }) {
    if (logits?.shape.length !== 2 || logits.dtype !== 'f32') {
      throw new ShapeError(`${name}: logits must be [N, C] f32, got ${logits && describe(logits)}`);
    }
    if (!targets || !sameShape(targets.shape, logits.shape) || targets.dtype !== 'f32') {
      throw new ShapeError(
        `${name}: targets must be ${describe(logits)} as the logits, got ${targets && describe(targets)}`,
      );
    }
    const [n, classes] = [at(logits.shape, 0), at(logits.shape, 1)];
    const expected = [
      ...(weighted ? [{ what: 'sample weights', shape: [n] }] : []),
      ...(remembered > 0 ? [{ what: 'memory', shape: scoreMemoryShape(remembered, classes) }] : []),
    ];
    for (const [i, { what, shape }] of expected.entries()) {
      const spec = rest[i];
      if (!spec || !sameShape(spec.shape, shape) || spec.dtype !== 'f32') {
        throw new ShapeError(`${name}: ${what} must be [${shape}] f32, got ${spec && describe(spec)}`);
      }
    }
    return [
      { shape: [1], dtype: 'f32' },
      { shape: logits.shape, dtype: 'f32' },
    ];
  },

  vjp: gradientAtHand,

  flops: ({ inputs: [logits], attributes: { flops, remembered } }) =>
    flops * elementCount(logits?.shape ?? []) * ((logits?.shape[0] ?? 0) + remembered),

  variants: [
    {
      name: 'pairs',
      unfit: () => undefined,
      rank: () => 1,
      build: pairKernel,
    },
  ],
};

export interface PairLossOperands {
  /** [N] f32, not negative. */
  readonly weights?: Tensor | undefined;
  /** See score-memory.ts; read, not changed. */
  readonly memory?: Tensor | undefined;
}

/**
 * @param logits [N, C] f32. An infinite or NaN logit makes the value, and the gradient of its class, NaN
 * @param targets [N, C] f32 in [0, 1]; NaN is unknown: such an entry is in no pair, and its gradient exactly 0. A soft
 *   target is a positive with weight y and a negative with weight 1 − y
 * @returns [1], differentiable with respect to the logits: over the classes with a positive and a negative, their
 *   - `mean` (0 where there is no such class);
 *   - `sum`;
 *   - `batchmean`: the sum divided by N.
 */
export function pairLoss(
  attributes: Omit<PairLossAttributes, 'weighted' | 'remembered'>,
  logits: Tensor,
  targets: Tensor,
  { weights, memory }: PairLossOperands = {},
): Tensor {
  const outputs = logits.graph.apply(
    pairLossOp,
    [logits, targets, ...[weights, memory].filter((each) => each !== undefined)],
    {
      ...attributes,
      weighted: weights !== undefined,
      remembered: memory ? at(memory.shape, 0) / 2 - 1 : 0,
    },
  );
  return at(outputs, 0);
}
