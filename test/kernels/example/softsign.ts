import type { Tensor } from '../../../src/engine/graph/tensor.js';
import { pointwise } from '../../../src/kernels/pointwise/pointwise.js';
import type { PointwiseFunction } from '../../../src/kernels/pointwise/pointwise-function.js';
import { abs, add, div, square } from '../../../src/kernels/pointwise/pointwise-table.js';

/** x / (1 + |x|), as PyTorch's `softsign`. */
export function softsign(x: Tensor): Tensor {
  return pointwise(softsignFunction, [x]);
}

const softsignFunction: PointwiseFunction = {
  name: 'softsign',
  wgsl: ([x]) => `${x} / (T(1.0) + abs(${x}))`,
  flops: 3,
  // 1 / (1 + |x|)²
  gradient: ({ gradient, args: [x] }) => [x && div(gradient, square(add(abs(x), 1)))],
};
