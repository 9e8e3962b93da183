import type { Tensor } from '../../engine/graph/tensor.js';
import { fullLike, maximum, mul, rsqrt, square } from '../pointwise/pointwise-table.js';
import { sum } from '../reduce/reduce.js';
import { reshape } from '../shape/reshape.js';

/** Lengths below this count as this, as in PyTorch's `normalize`: a vector of zeros stays one. */
const LEAST_LENGTH = 1e-12;

/** x / ‖x‖ along one axis. @param axis default: the last */
export function l2Normalize(x: Tensor, axis = -1): Tensor {
  const d = axis < 0 ? axis + x.shape.length : axis;
  const squares = sum(square(x), [d]);
  const kept = x.shape.map((size, i) => (i === d ? 1 : size));
  return mul(x, reshape(rsqrt(maximum(squares, fullLike(squares, LEAST_LENGTH ** 2))), kept));
}
