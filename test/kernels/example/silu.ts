import type { Tensor } from '../../../src/engine/graph/tensor.js';
import { pointwise } from '../../../src/kernels/pointwise/pointwise.js';
import type { PointwiseFunction } from '../../../src/kernels/pointwise/pointwise-function.js';
import { add, mul, sigmoid, sub } from '../../../src/kernels/pointwise/pointwise-table.js';

/** x·σ(x) (Elfwing et al. 2018), as PyTorch's `silu`. */
export function silu(x: Tensor): Tensor {
  return pointwise(siluFunction, [x]);
}

const siluFunction: PointwiseFunction = {
  name: 'silu',
  wgsl: ([x]) => `${x} / (T(1.0) + exp(-${x}))`,
  flops: 4,
  gradient({ gradient, args: [x] }) {
    // σ·(1 + x·(1 − σ))
    const s = x && sigmoid(x);
    return [x && s && mul(gradient, mul(s, add(mul(x, sub(1, s)), 1)))];
  },
};
