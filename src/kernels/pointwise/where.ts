import type { Tensor } from '../../engine/graph/tensor.js';
import { pointwise } from './pointwise.js';
import type { PointwiseFunction } from './pointwise-function.js';
import { fullLike } from './pointwise-table.js';

const select: PointwiseFunction = {
  name: 'where',
  wgsl: ([condition, a, b]) => `select(${b}, ${a}, ${condition} != T(0.0))`,
  gradient({ gradient, args: [condition] }) {
    if (!condition) return [];
    return [undefined, where(condition, gradient, 0), where(condition, 0, gradient)];
  },
};

/**
 * a where the condition is not 0, else b; as PyTorch's `where`. Shapes broadcast. What is not chosen has no influence,
 * and neither has its gradient.
 */
export function where(condition: Tensor, a: Tensor | number, b: Tensor | number): Tensor {
  const filled = (x: Tensor | number) => (typeof x === 'number' ? fullLike(condition, x) : x);
  return pointwise(select, [condition, filled(a), filled(b)]);
}
