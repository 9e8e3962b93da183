import { ShapeError } from '../../engine/errors.js';
import {
  applyOne,
  at,
  describe,
  elementCount,
  type Op,
  type Problem,
  type RowCut,
  type Shape,
  type Tensor,
} from '../../engine/graph/tensor.js';
import { flatStep } from '../common/grid.js';
import { byFirstAxis } from '../common/rows.js';

/** Elements along an axis by number, as PyTorch's `gather`. */

interface GatherAttributes {
  readonly axis: number;
}

/** (x, index) → x with coordinate `axis` replaced by the index's value. */
export const gatherOp: Op<GatherAttributes> = {
  name: 'gather',
  infer([x, index], { axis }) {
    const fits =
      x?.dtype === 'f32' &&
      index?.dtype === 'u32' &&
      x.shape.length === index.shape.length &&
      axis < x.shape.length &&
      x.shape.every((size, d) => d === axis || size === index.shape[d]);
    if (!fits) {
      throw new ShapeError(
        `gather along axis ${axis}: needs x f32 and as long an index u32 but for that axis, got ` +
          `${x && describe(x)}, ${index && describe(index)}`,
      );
    }
    return [{ shape: index.shape, dtype: 'f32' }];
  },
  vjp({ inputs: [x, index], attributes: { axis } }, [dy]) {
    if (!x || !index || !dy) return [];
    return [applyOne(gatherSlopeOp, [dy, index], { axis, size: at(x.shape, axis) }), undefined];
  },
  rows: byImage,
  flops: () => 0,
  variants: [
    {
      name: 'elements',
      unfit: () => undefined,
      rank: () => 1,
      build({ inputs: [x, index], attributes: { axis } }, traits) {
        const { size, inner, outputs } = extents(x?.shape ?? [], index?.shape ?? [], axis);
        const step = flatStep(
          {
            count: elementCount(index?.shape ?? []),
            bindings: [
              { name: 'x', operand: { kind: 'input', index: 0 }, access: 'read', type: 'f32' },
              { name: 'numbers', operand: { kind: 'input', index: 1 }, access: 'read', type: 'u32' },
              { name: 'y', operand: { kind: 'output', index: 0 }, access: 'read_write', type: 'f32' },
            ],
            body: `let outer = id / ${outputs * inner}u;
  y[id] = x[(outer * ${size}u + min(numbers[id], ${size - 1}u)) * ${inner}u + id % ${inner}u];`,
          },
          traits,
        );
        return { scratch: [], steps: [step] };
      },
    },
  ],
};

/** (dy, index) → dx: each element adds up the places that took it, in their order. */
const gatherSlopeOp: Op<GatherAttributes & { readonly size: number }> = {
  name: 'gatherSlope',
  infer: ([dy], { axis, size }) => [
    { shape: (dy?.shape ?? []).map((own, d) => (d === axis ? size : own)), dtype: 'f32' },
  ],
  rows: byImage,
  flops: ({ inputs: [dy], attributes: { size } }) => size * elementCount(dy?.shape ?? []),
  variants: [
    {
      name: 'elements',
      unfit: () => undefined,
      rank: () => 1,
      build({ inputs: [dy], outputs: [dx], attributes: { axis } }, traits) {
        const { size, inner, outputs } = extents(dx?.shape ?? [], dy?.shape ?? [], axis);
        const step = flatStep(
          {
            count: elementCount(dx?.shape ?? []),
            bindings: [
              { name: 'dy', operand: { kind: 'input', index: 0 }, access: 'read', type: 'f32' },
              { name: 'numbers', operand: { kind: 'input', index: 1 }, access: 'read', type: 'u32' },
              { name: 'dx', operand: { kind: 'output', index: 0 }, access: 'read_write', type: 'f32' },
            ],
            body: `let own = id / ${inner}u % ${size}u;
  let begin = id / ${size * inner}u * ${outputs * inner}u + id % ${inner}u;
  var total = 0.0;
  for (var j = 0u; j < ${outputs}u; j++) {
    let place = begin + j * ${inner}u;
    if (numbers[place] == own) { total += dy[place]; }
  }
  dx[id] = total;`,
          },
          traits,
        );
        return { scratch: [], steps: [step] };
      },
    },
  ],
};

function byImage<A extends GatherAttributes>(problem: Problem<A>): RowCut<A> | undefined {
  return problem.attributes.axis > 0 ? byFirstAxis(problem, [true, true]) : undefined;
}

function extents(x: Shape, index: Shape, axis: number): { size: number; inner: number; outputs: number } {
  return { size: at(x, axis), inner: elementCount(x.slice(axis + 1)), outputs: at(index, axis) };
}

/**
 * y[…, j, …] = x[…, index[…, j, …], …] along `axis`, as PyTorch's `gather` for operands that agree on all other axes.
 * @param index u32, each below the axis' size
 */
export function gather(x: Tensor, axis: number, index: Tensor): Tensor {
  return applyOne(gatherOp, [x, index], { axis: axis < 0 ? axis + x.shape.length : axis });
}
