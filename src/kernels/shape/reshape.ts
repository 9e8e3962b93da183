import { ShapeError } from '../../engine/errors.js';
import {
  applyOne,
  at,
  elementCount,
  type Op,
  type Shape,
  sameShape,
  type Tensor,
} from '../../engine/graph/tensor.js';

/** The same bytes under another shape: no kernel, the memory plan gives both tensors one place. */
export const reshapeOp: Op<{ readonly shape: Shape }> = {
  name: 'reshape',
  alias: true,
  variants: [],
  flops: () => 0,
  bytes: () => 0,
  infer([x], { shape }) {
    if (!x || elementCount(x.shape) !== elementCount(shape)) {
      throw new ShapeError(`reshape: [${x?.shape}] has not as many elements as [${shape}]`);
    }
    return [{ shape, dtype: x.dtype }];
  },
  vjp: (node, [gradient]) => [gradient && reshape(gradient, at(node.inputs, 0).shape)],
};

/** @param shape one size may be -1: it is worked out from the others */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const known = shape.filter((size) => size !== -1);
  if (known.length < shape.length - 1) throw new ShapeError(`reshape: more than one -1 in [${shape}]`);
  const target = shape.map((size) => (size === -1 ? elementCount(x.shape) / elementCount(known) : size));
  return sameShape(target, x.shape) ? x : applyOne(reshapeOp, [x], { shape: target });
}
