import { ShapeError } from '../../engine/errors.js';
import { applyOne, describe, elementCount, type Op, type Tensor } from '../../engine/graph/tensor.js';
import { literal } from '../pointwise/expression.js';
import { add, mul, sqrt } from '../pointwise/pointwise-table.js';
import { sum } from '../reduce/reduce.js';

/**
 * The norm of all gradients and what the optimizers make of it: clipping, and leaving a step out where a gradient is
 * not finite. The factor stays on the device, so that a step needs no read-back; who wants to see the norm records it.
 */

/** f32 bits of the exponent: all set for an infinity and for NaN. */
const EXPONENT = '0x7f800000u';

const clipFactorOp: Op<{ readonly maxNorm: number }> = {
  name: 'clipFactor',

  infer([norm]) {
    if (!norm || elementCount(norm.shape) !== 1 || norm.dtype !== 'f32') {
      throw new ShapeError(`clipFactor: the norm must be one f32, got ${norm && describe(norm)}`);
    }
    return [{ shape: [1], dtype: 'f32' }];
  },

  flops: () => 3,

  variants: [
    {
      name: 'single',
      unfit: () => undefined,
      rank: () => 1,
      // WGSL lets a compiler assume that no NaN exists, so the comparison is made on bits.
      build: ({ attributes: { maxNorm } }) => ({
        scratch: [],
        steps: [
          {
            kind: 'dispatch',
            bindings: [
              { name: 'norm', operand: { kind: 'input', index: 0 }, access: 'read', type: 'u32' },
              { name: 'factor', operand: { kind: 'output', index: 0 }, access: 'read_write', type: 'f32' },
            ],
            workgroups: [1, 1, 1],
            code: `@compute @workgroup_size(1) fn main() {
  let finite = (norm[0] & ${EXPONENT}) != ${EXPONENT};
  let scale = ${Number.isFinite(maxNorm) ? `min(1.0, ${literal(maxNorm)} / (bitcast<f32>(norm[0]) + 1e-6))` : '1.0'};
  factor[0] = select(-1.0, scale, finite);
}`,
          },
        ],
      }),
    },
  ],
};

/**
 * Euclidean norm over all elements of all shards: √Σg². It overflows to infinity beyond 1.8e19.
 * @param shards whole shards (multiples of `RANGE_ALIGNMENT` elements; what pads a range is zero) @returns [1]
 */
export function gradientNorm(shards: readonly Tensor[]): Tensor {
  let total: Tensor | undefined;
  for (const shard of shards) {
    const squares = sum(mul(shard, shard));
    total = total ? add(total, squares) : squares;
  }
  if (!total) throw new ShapeError('gradientNorm: no shard was given');
  return sqrt(total);
}

/**
 * What every gradient is multiplied by so that their norm is at most `maxNorm`: min(1, maxNorm/(norm + 1e-6)), as
 * `torch.nn.utils.clip_grad_norm_`. Where the norm is infinite or NaN it is −1, which tells an optimizer to leave
 * parameters, state and average untouched (0 would not do: 0·NaN is NaN).
 *
 * @param norm [1], from `gradientNorm`; record it to see which steps were left out
 * @param maxNorm positive; `Infinity` or left out: never clip, only guard
 * @returns [1]: the `clip` operand of a `flatUpdate`, the `gate` of `follow`
 */
export function clipFactor(norm: Tensor, maxNorm = Number.POSITIVE_INFINITY): Tensor {
  if (!(maxNorm > 0)) throw new RangeError(`clipFactor: maxNorm must be positive, got ${maxNorm}`);
  return applyOne(clipFactorOp, [norm], { maxNorm });
}
