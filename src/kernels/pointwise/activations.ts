import type { Tensor } from '../../engine/graph/tensor.js';
import { mul, sigmoid } from './pointwise-table.js';

/** Activations that are products of a value and its gate. The rewriter makes one pass of each. */

/** x·σ(x), also called swish (Hendrycks & Gimpel, arXiv 1606.08415; Ramachandran et al., arXiv 1710.05941). */
export function silu(x: Tensor): Tensor {
  return mul(x, sigmoid(x));
}

/** x·σ(1.702·x): the approximation of GELU that OpenAI's CLIP was trained with (arXiv 1606.08415, section 2). */
export function quickGelu(x: Tensor): Tensor {
  return mul(x, sigmoid(mul(x, 1.702)));
}
