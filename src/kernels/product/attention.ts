import { ShapeError } from '../../engine/errors.js';
import { at, describe, elementCount, type Tensor } from '../../engine/graph/tensor.js';
import { mul } from '../pointwise/pointwise-table.js';
import { softmax } from '../reduce/softmax.js';
import { reshape } from '../shape/reshape.js';
import { bmm } from './bmm.js';

export interface AttentionOptions {
  /** Factor of the products of queries and keys; default 1/√e. */
  readonly scale?: number;
  /** A change of the weights [..., l, s] before they weigh the values: dropout, in training. */
  readonly dropout?: (weights: Tensor) => Tensor;
}

/**
 * softmax(scale·QKᵀ)·V (Vaswani et al. 2017, eq. 1), as PyTorch's `scaled_dot_product_attention` without a mask. The
 * weights stay in memory: this is for heads of few queries, not for long sequences.
 * @param query [..., l, e] @param key [..., s, e] @param value [..., s, v]; the leading axes (images, heads) agree
 * @returns [..., l, v]
 * @throws ShapeError where the operands do not fit
 */
export function scaledDotProductAttention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  { scale = 1 / Math.sqrt(at(query.shape, -1)), dropout = (weights) => weights }: AttentionOptions = {},
): Tensor {
  const leading = query.shape.slice(0, -2);
  const fits =
    [query, key, value].every(
      ({ shape }) => shape.length === leading.length + 2 && leading.every((size, d) => size === shape[d]),
    ) &&
    leading.length > 0 &&
    query.shape.at(-1) === key.shape.at(-1) &&
    key.shape.at(-2) === value.shape.at(-2);
  if (!fits) {
    throw new ShapeError(
      'scaledDotProductAttention needs [..., l, e], [..., s, e] and [..., s, v], got ' +
        [query, key, value].map(describe).join(', '),
    );
  }
  const [l, s] = [at(query.shape, -2), at(key.shape, -2)];
  const matrices = (x: Tensor) => reshape(x, [elementCount(leading), ...x.shape.slice(-2)]);
  const scores = mul(bmm(matrices(query), matrices(key), { transposeB: true }), scale);
  const weights = dropout(reshape(softmax(scores), [...leading, l, s]));
  return reshape(bmm(matrices(weights), matrices(value)), [...leading, l, at(value.shape, -1)]);
}
