import { ShapeError } from '../../engine/errors.js';
import { rowsShape } from '../../engine/graph/rows.js';
import {
  applyOne,
  at,
  elementCount,
  type Op,
  type Problem,
  type Shape,
  sameShape,
  type Tensor,
} from '../../engine/graph/tensor.js';
import { streamStep } from '../common/grid.js';
import { byFirstAxis } from '../common/rows.js';
import { literal } from '../pointwise/expression.js';
import { unravelIndex } from '../pointwise/expression-dims.js';
import { stridedCopy } from './strided-copy.js';
import { blockTranspose, blockTransposeUnfit } from './transpose.js';

/** Moving elements without computing: permute, concat, slice and pad. Each one's gradient is another of them. */

/** @param axes the axis of x that each axis of the result comes from, e.g. [0, 3, 1, 2] for NHWC → NCHW */
export function permute(x: Tensor, axes: readonly number[]): Tensor {
  return axes.every((axis, d) => axis === d) && axes.length === x.shape.length
    ? x
    : applyOne(permuteOp, [x], { axes });
}

/** The last two axes exchanged. */
export function transpose(x: Tensor): Tensor {
  const rank = x.shape.length;
  if (rank < 2) throw new ShapeError(`transpose: [${x.shape}] has fewer than two axes`);
  return permute(
    x,
    x.shape.map((_, d) => (d < rank - 2 ? d : 2 * rank - 3 - d)),
  );
}

/** Tensors one behind the other along `axis`; the other axes must agree. */
export function concat(tensors: readonly [Tensor, ...Tensor[]], axis: number): Tensor {
  return tensors.length === 1
    ? tensors[0]
    : applyOne(concatOp, tensors, { axis: axis < 0 ? axis + tensors[0].shape.length : axis });
}

/** The box of `sizes` elements that begins at `starts`. */
export function slice(x: Tensor, starts: readonly number[], sizes: Shape): Tensor {
  return sameShape(sizes, x.shape) ? x : applyOne(sliceOp, [x], { starts, sizes });
}

/** x with `before` and `after` elements of `value` added along each axis. */
export function pad(x: Tensor, before: readonly number[], after: readonly number[], value = 0): Tensor {
  return [...before, ...after].every((amount) => amount === 0) && before.length === x.shape.length
    ? x
    : applyOne(padOp, [x], { before, after, value });
}

export const permuteOp: Op<{ readonly axes: readonly number[] }> = {
  name: 'permute',
  flops: () => 0,
  infer([x], { axes }) {
    if (
      !x ||
      [...axes].sort((a, b) => a - b).some((axis, d) => axis !== d) ||
      axes.length !== x.shape.length
    ) {
      throw new ShapeError(`permute: [${axes}] does not order the axes of [${x?.shape}]`);
    }
    return [{ shape: axes.map((axis) => at(x.shape, axis)), dtype: x.dtype }];
  },
  rows: (problem) => (problem.attributes.axes[0] === 0 ? byFirstAxis(problem, [true]) : undefined),
  vjp(node, [gradient]) {
    const { axes } = node.attributes;
    return [
      gradient &&
        permute(
          gradient,
          axes.map((_, d) => axes.indexOf(d)),
        ),
    ];
  },
  variants: [
    {
      name: 'copy',
      unfit: () => undefined,
      rank: () => 2,
      build: (problem, traits) => ({
        scratch: [],
        steps: [
          stridedCopy(
            { dims: permuted(problem) },
            { from: { kind: 'input', index: 0 }, to: { kind: 'output', index: 0 }, dtype: dtypeOf(problem) },
            traits,
          ),
        ],
      }),
    },
    {
      name: 'block',
      unfit: (problem) => blockTransposeUnfit(permuted(problem)),
      rank: () => 1,
      build: (problem, traits) => ({
        scratch: [],
        steps: [
          blockTranspose(
            permuted(problem),
            { from: { kind: 'input', index: 0 }, to: { kind: 'output', index: 0 }, dtype: dtypeOf(problem) },
            traits,
          ),
        ],
      }),
    },
  ],
};

function permuted({ inputs: [x], outputs: [y], attributes: { axes } }: Problem<{ axes: readonly number[] }>) {
  const from = strides(x?.shape ?? []);
  const to = strides(y?.shape ?? []);
  return axes.map((axis, d) => ({ size: at(y?.shape ?? [], d), from: at(from, axis), to: at(to, d) }));
}

export const concatOp: Op<{ readonly axis: number }> = {
  name: 'concat',
  flops: () => 0,
  infer(inputs, { axis }) {
    const first = at(inputs, 0);
    const agree = inputs.every(
      ({ shape, dtype }) =>
        dtype === first.dtype &&
        shape.length === first.shape.length &&
        shape.every((size, d) => d === axis || size === first.shape[d]),
    );
    if (!agree || axis < 0 || axis >= first.shape.length) {
      const shapes = inputs.map(({ shape, dtype }) => `[${shape}] ${dtype}`).join(', ');
      throw new ShapeError(`concat: ${shapes} cannot be joined along axis ${axis}`);
    }
    const total = inputs.reduce((sum, { shape }) => sum + at(shape, axis), 0);
    return [{ shape: first.shape.map((size, d) => (d === axis ? total : size)), dtype: first.dtype }];
  },
  rows(problem) {
    const all = problem.inputs.map(() => true);
    return problem.attributes.axis > 0 ? byFirstAxis(problem, all) : undefined;
  },
  vjp({ inputs, attributes: { axis } }, [gradient]) {
    let start = 0;
    return inputs.map(({ shape }) => {
      const starts = shape.map((_, d) => (d === axis ? start : 0));
      start += at(shape, axis);
      return gradient && slice(gradient, starts, shape);
    });
  },
  variants: [
    {
      name: 'copies',
      unfit: () => undefined,
      rank: () => 1,
      build(problem, traits) {
        const { inputs, outputs, attributes } = problem;
        const to = strides(at(outputs, 0).shape);
        let start = 0;
        const steps = inputs.map(({ shape, dtype }, index) => {
          const from = strides(shape);
          const dims = shape.map((size, d) => ({ size, from: at(from, d), to: at(to, d) }));
          const toOffset = start * at(to, attributes.axis);
          start += at(shape, attributes.axis);
          return stridedCopy(
            { dims, toOffset },
            { from: { kind: 'input', index }, to: { kind: 'output', index: 0 }, dtype },
            traits,
          );
        });
        return { scratch: [], steps };
      },
    },
  ],
};

export const sliceOp: Op<{ readonly starts: readonly number[]; readonly sizes: Shape }> = {
  name: 'slice',
  flops: () => 0,
  bytes: ({ outputs: [y] }) => 8 * elementCount(y?.shape ?? []),
  infer([x], { starts, sizes }) {
    const inside =
      x &&
      starts.length === x.shape.length &&
      sizes.length === x.shape.length &&
      x.shape.every((size, d) => at(starts, d) >= 0 && at(starts, d) + at(sizes, d) <= size);
    if (!x || !inside) {
      throw new ShapeError(`slice: [${sizes}] from [${starts}] does not lie in [${x?.shape}]`);
    }
    return [{ shape: sizes, dtype: x.dtype }];
  },
  rows(problem) {
    const { starts, sizes } = problem.attributes;
    if (at(problem.inputs, 0).shape[0] !== sizes[0]) return undefined;
    return byFirstAxis(problem, [true], (range) => ({ starts, sizes: rowsShape(sizes, range) }));
  },
  vjp({ inputs, attributes: { starts, sizes } }, [gradient]) {
    const { shape } = at(inputs, 0);
    const after = shape.map((size, d) => size - at(starts, d) - at(sizes, d));
    return [gradient && pad(gradient, starts, after)];
  },
  variants: [
    {
      name: 'copy',
      unfit: () => undefined,
      rank: () => 1,
      build(problem, traits) {
        const { starts, sizes } = problem.attributes;
        const from = strides(at(problem.inputs, 0).shape);
        const to = strides(sizes);
        const dims = sizes.map((size, d) => ({ size, from: at(from, d), to: at(to, d) }));
        const fromOffset = starts.reduce((sum, start, d) => sum + start * at(from, d), 0);
        const ends = {
          from: { kind: 'input', index: 0 },
          to: { kind: 'output', index: 0 },
          dtype: dtypeOf(problem),
        } as const;
        return { scratch: [], steps: [stridedCopy({ dims, fromOffset }, ends, traits)] };
      },
    },
  ],
};

export interface PadAttributes {
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly value: number;
}

export const padOp: Op<PadAttributes> = {
  name: 'pad',
  flops: () => 0,
  infer([x], { before, after }) {
    if (
      x?.dtype !== 'f32' ||
      before.length !== x.shape.length ||
      after.length !== x.shape.length ||
      [...before, ...after].some((amount) => !Number.isInteger(amount) || amount < 0)
    ) {
      throw new ShapeError(
        `pad: [${before}] before and [${after}] after do not fit [${x?.shape}] ${x?.dtype}`,
      );
    }
    return [{ shape: x.shape.map((size, d) => at(before, d) + size + at(after, d)), dtype: 'f32' }];
  },
  rows(problem) {
    const { before, after } = problem.attributes;
    return before[0] === 0 && after[0] === 0 ? byFirstAxis(problem, [true]) : undefined;
  },
  vjp: ({ inputs, attributes: { before } }, [gradient]) => [
    gradient && slice(gradient, before, at(inputs, 0).shape),
  ],
  variants: [
    {
      name: 'gather',
      unfit: () => undefined,
      rank: () => 1,
      build: ({ inputs: [x], outputs: [y], attributes }, traits) => {
        const { before, after, value } = attributes;
        const shape = x?.shape ?? [];
        const last = shape.length - 1;
        const width = [shape[last], before[last], after[last]].every((size) => (size ?? 0) % 4 === 0) ? 4 : 1;
        const inVectors = (sizes: Shape) => sizes.map((size, d) => (d === last ? size / width : size));
        const [source, target, offset] = [inVectors(shape), inVectors(y?.shape ?? []), inVectors(before)];
        const from = strides(source);
        const count = elementCount(target);
        const type = width === 4 ? 'vec4f' : 'f32';
        // An element before the first wraps around to a large unsigned coordinate: one comparison tells both sides.
        const inside = source.map((size, d) => `c${d} - ${at(offset, d)}u < ${size}u`).join(' && ');
        const index = from.map((stride, d) => `(c${d} - ${at(offset, d)}u) * ${stride}u`).join(' + ');
        const step = streamStep(
          {
            count,
            bindings: [
              { name: 'x', operand: { kind: 'input', index: 0 }, access: 'read', type },
              { name: 'y', operand: { kind: 'output', index: 0 }, access: 'read_write', type },
            ],
            each: `${unravelIndex(target, 'i')}
  var moved = ${type}(${literal(value)});
  if (${inside}) { moved = x[${index}]; }
  y[i] = moved;`,
          },
          traits,
        );
        return { scratch: [], steps: [step] };
      },
    },
  ],
};

function dtypeOf({ inputs }: Problem<unknown>) {
  return at(inputs, 0).dtype;
}

/** Row-major strides in elements. */
function strides(shape: Shape): number[] {
  return shape.map((_, d) => elementCount(shape.slice(d + 1)));
}
