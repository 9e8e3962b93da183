import { differentiate } from '../../engine/graph/autograd.js';
import type { Tensor } from '../../engine/graph/tensor.js';
import { add, fullLike } from '../pointwise/pointwise-table.js';
import { sumTo } from '../reduce/reduce.js';

/**
 * Gradients of `loss` (a scalar, or summed over its elements) with respect to `wrt`, traced into the same graph.
 * A tensor that the loss does not depend on gets zeros.
 * @param start the gradient of the loss itself, of its shape: 1 by default, a loss scale in mixed precision
 */
export function grad(loss: Tensor, wrt: readonly Tensor[], start = fullLike(loss, 1)): Tensor[] {
  const gradients = differentiate(loss, wrt, { add, sumTo, start: () => start });
  return gradients.map((gradient, i) => gradient ?? fullLike(wrt[i] ?? loss, 0));
}
