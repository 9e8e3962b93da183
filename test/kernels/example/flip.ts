import { ShapeError } from '../../../src/engine/errors.js';
import { applyOne, at, elementCount, type Op, type Tensor } from '../../../src/engine/graph/tensor.js';
import { flatStep } from '../../../src/kernels/common/grid.js';

/** The last axis in reverse order, as NumPy's `flip(x, -1)`. */
export function flip(x: Tensor): Tensor {
  return applyOne(flipOp, [x], undefined);
}

const flipOp: Op<undefined> = {
  name: 'flip',

  infer([x]) {
    if (x?.dtype !== 'f32' || x.shape.length === 0) {
      throw new ShapeError(`flip: needs f32 with at least one axis, got [${x?.shape}] ${x?.dtype}`);
    }
    return [{ shape: x.shape, dtype: 'f32' }];
  },

  // The gradient of an output lies where the input came from: it is flipped back.
  vjp: (_, [gradient]) => [gradient && flip(gradient)],

  flops: () => 0,

  variants: [
    {
      name: 'flat',
      unfit: () => undefined,
      rank: () => 1,
      build({ inputs }, traits) {
        const { shape } = at(inputs, 0);
        const size = at(shape, -1);
        const step = flatStep(
          {
            count: elementCount(shape),
            bindings: [
              { name: 'x', operand: { kind: 'input', index: 0 }, access: 'read', type: 'f32' },
              { name: 'y', operand: { kind: 'output', index: 0 }, access: 'read_write', type: 'f32' },
            ],
            body: `let column = id % ${size}u;
  y[id] = x[id - column + ${size - 1}u - column];`,
          },
          traits,
        );
        return { scratch: [], steps: [step] };
      },
    },
  ],
};
