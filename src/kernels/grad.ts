import { differentiate } from '../engine/autograd.js';
import type { Tensor } from '../engine/tensor.js';
import { add, fullLike } from './pointwise-table.js';

/**
 * Gradients of `loss` (a scalar, or summed over its elements) with respect to `wrt`, traced into the same graph.
 * A tensor that the loss does not depend on gets zeros.
 */
export function grad(loss: Tensor, wrt: readonly Tensor[]): Tensor[] {
  const gradients = differentiate(loss, wrt, { add, onesLike: (tensor) => fullLike(tensor, 1) });
  return gradients.map((gradient, i) => gradient ?? fullLike(wrt[i] ?? loss, 0));
}
