import { ShapeError } from '../../engine/errors.js';
import { applyOne, at, describe, elementCount, type Op, type Tensor } from '../../engine/graph/tensor.js';
import { flatStep } from '../common/grid.js';

/** x → the number of the largest element of each row. */
export const argmaxOp: Op<Record<string, never>> = {
  name: 'argmax',
  infer([x]) {
    if (!x || x.dtype === 'f16' || x.shape.length < 1) {
      throw new ShapeError(`argmax: needs rows of f32 or u32, got ${x && describe(x)}`);
    }
    return [{ shape: x.shape.slice(0, -1), dtype: 'u32' }];
  },
  flops: ({ inputs: [x] }) => elementCount(x?.shape ?? []),
  variants: [
    {
      name: 'serial',
      unfit: () => undefined,
      rank: () => 1,
      build({ inputs: [x], outputs: [y] }, traits) {
        const size = at(x?.shape ?? [], -1);
        const type = x?.dtype === 'u32' ? 'u32' : 'f32';
        const step = flatStep(
          {
            count: elementCount(y?.shape ?? []),
            bindings: [
              { name: 'x', operand: { kind: 'input', index: 0 }, access: 'read', type },
              { name: 'y', operand: { kind: 'output', index: 0 }, access: 'read_write', type: 'u32' },
            ],
            body: `let begin = id * ${size}u;
  var best = 0u;
  var largest = x[begin];
  for (var j = 1u; j < ${size}u; j++) {
    let value = x[begin + j];
    if (value > largest) { largest = value; best = j; }
  }
  y[id] = best;`,
          },
          traits,
        );
        return { scratch: [], steps: [step] };
      },
    },
  ],
};

/**
 * The number of the largest element of each row; of several, the first, as NumPy's `argmax` over the last axis.
 * @param x [..., size] f32 or u32 @returns [...] u32, which has no gradient
 */
export function argmax(x: Tensor): Tensor {
  return applyOne(argmaxOp, [x], {});
}
