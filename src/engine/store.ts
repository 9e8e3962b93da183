import { ShapeError } from './errors.js';
import { describe, elementCount, type Op, type Tensor } from './graph/tensor.js';

/**
 * Puts a computed value into a variable. The compiler lets the op that computes the value write there directly
 * wherever nothing in between still reads the variable; otherwise it copies. So gradients land in their arena without
 * a copy.
 */
export const storeOp: Op<undefined> = {
  name: 'store',
  mutates: [1],
  variants: [],
  flops: () => 0,
  infer([value, target]) {
    if (!value || !target || elementCount(value.shape) !== elementCount(target.shape)) {
      throw new ShapeError(`store: ${value && describe(value)} into ${target && describe(target)}`);
    }
    return [];
  },
};

/** @param value any shape @param target a variable with as many elements */
export function store(value: Tensor, target: Tensor): void {
  if (target.source.kind !== 'variable') throw new ShapeError('store: the target must be a variable');
  value.graph.apply(storeOp, [value, target], undefined);
}
