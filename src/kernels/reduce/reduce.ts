import { ShapeError } from '../../engine/errors.js';
import { rowAxis, rowsShape, share } from '../../engine/graph/rows.js';
import {
  applyOne,
  at,
  elementCount,
  type Op,
  type Shape,
  sameShape,
  type Tensor,
} from '../../engine/graph/tensor.js';
import {
  canVectorize,
  compose,
  type Expression,
  emitExpression,
  expressionFlops,
  hasRows,
  literal,
  rowsOfExpression,
} from '../pointwise/expression.js';
import { pointwiseOp } from '../pointwise/pointwise.js';
import { broadcastTo, div, greater, mul, sub } from '../pointwise/pointwise-table.js';
import { reshape } from '../shape/reshape.js';
import { type Fold, foldExtent, foldVariants, typeT } from './fold.js';
import { mergeEach } from './merge-ranges.js';

/**
 * Sums and maxima over a contiguous group of axes: the operand is seen as [outer, size, inner] and `size` goes away.
 * The operand may be an expression (pointwise producers are merged in), so that e.g. Σ g² of a gradient norm is one
 * pass. Partial sums are short and merged in a fixed order (fold.ts): the same bits at every run, and rounding that
 * grows with the length of a chunk, not with the size.
 */
export interface ReduceAttributes extends Expression {
  readonly kind: 'sum' | 'max';
  /** Factor of a sum. */
  readonly scale: number;
  readonly outer: number;
  readonly size: number;
  readonly inner: number;
  /** Shape of the result. */
  readonly result: Shape;
  /** The same with the reduced axes kept as ones (NumPy's `keepdims`): it broadcasts to the operand's. */
  readonly kept: Shape;
}

export const reduceOp: Op<ReduceAttributes> = {
  name: 'reduce',

  infer(_inputs, { result }) {
    return [{ shape: result, dtype: 'f32' }];
  },

  vjp(node, [gradient]) {
    const input = node.inputs[0];
    const { kind, scale, kept, ...grouping } = node.attributes;
    if (!gradient || !input) return [];
    if (grouping.code.length > 0) {
      throw new ShapeError(
        `${node.label}: pointwise functions were merged into this reduction, which has no gradient any more: ` +
          'trace gradients before the graph is rewritten',
      );
    }
    const spread = (x: Tensor) => broadcastTo(reshape(x, kept), input.shape);
    if (kind === 'sum') return [spread(scale === 1 ? gradient : mul(gradient, scale))];
    // The gradient of a maximum goes to every element that reaches it, in equal parts, as in PyTorch's amax.
    const reached = sub(1, greater(spread(at(node.outputs, 0)), input));
    const portion = div(gradient, reduce(reached, { ...grouping, kept }));
    return [mul(spread(portion), reached)];
  },

  rows({ inputs, outputs, attributes }) {
    const { shape, kind, outer, size, result, kept } = attributes;
    const across = outer === 1;
    if (rowAxis(shape) === undefined || (across && size === 1)) return undefined;
    return {
      inputs: inputs.map((input) => hasRows(input, shape)),
      attributes: (range) => ({
        ...rowsOfExpression(attributes, range),
        ...(across
          ? { size: share(size, range) }
          : { outer: share(outer, range), result: rowsShape(result, range), kept: rowsShape(kept, range) }),
      }),
      ...(across && { merge: () => mergeEach(outputs, kind) }),
    };
  },

  // Sums stay f32.
  halves: { inputs: 'all', outputs: [] },

  flops: ({ attributes: { code, shape } }) => (expressionFlops(code) + 1) * elementCount(shape),

  absorb(consumer, operand, producer, { maxBindings }) {
    if (producer.op !== (pointwiseOp as Op)) return undefined;
    const inner = producer.attributes as Expression;
    const own = consumer.attributes;
    if (!sameShape(inner.shape, own.shape)) return undefined;
    const { code, inputs } = compose({ code: own.code, inputs: consumer.inputs }, operand, {
      code: inner.code,
      inputs: producer.inputs,
    });
    if (inputs.length + 1 > maxBindings) return undefined;
    return { op: reduceOp as Op, attributes: { ...own, code }, inputs };
  },

  variants: foldVariants(({ inputs, attributes }) => {
    const { kind, inner, scale } = attributes;
    const { width, extent } = foldExtent(attributes, canVectorize(inputs, attributes.shape));
    const { code, bindings } = emitExpression(attributes, inputs, width === 4);
    const combine =
      kind === 'sum' ? (a: string, b: string) => `${a} + ${b}` : (a: string, b: string) => `max(${a}, ${b})`;
    const across = width === 4 && inner === 1;
    const fold: Fold = {
      width,
      state: { vectors: ['total'] },
      empty: kind === 'sum' ? 'State()' : 'State(T(-0x1.fffffep+127f))',
      source: code,
      merge: `fn merge(a: State, b: State) -> State { return State(${combine('a.total', 'b.total')}); }`,
      accumulate: `s.total = ${combine('s.total', 'value(i)')};`,
      finish: `reduced[id] = ${scale === 1 ? '' : `${literal(scale)} * `}(${across ? ['s.total.x', 's.total.y', 's.total.z', 's.total.w'].reduce(combine) : 's.total'});`,
      inputs: bindings,
      outputs: [
        {
          name: 'reduced',
          operand: { kind: 'output', index: 0 },
          access: 'read_write',
          type: typeT(across ? 1 : width),
        },
      ],
    };
    return { fold, extent };
  }),
};

/** @param axes contiguous, e.g. [0, 1, 2] or [-1]; all axes if left out @returns without these axes (at least [1]) */
export function sum(x: Tensor, axes?: readonly number[]): Tensor {
  return reduce(x, groupAxes(x.shape, axes));
}

/** The largest element along contiguous axes. */
export function max(x: Tensor, axes?: readonly number[]): Tensor {
  return reduce(x, groupAxes(x.shape, axes), 'max');
}

export function mean(x: Tensor, axes?: readonly number[]): Tensor {
  const grouping = groupAxes(x.shape, axes);
  return reduce(x, grouping, 'sum', 1 / grouping.size);
}

/** Undoes a broadcast: sums `x` down to `shape`. */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  let result = x;
  const lead = x.shape.length - shape.length;
  // From the last axis on, each run of neighbouring axes that were repeated is one reduction.
  for (let end = x.shape.length; end > 0; ) {
    const repeated = (d: number) => d < lead || (shape[d - lead] === 1 && x.shape[d] !== 1);
    if (!repeated(end - 1)) {
      end--;
      continue;
    }
    let start = end - 1;
    while (start > 0 && repeated(start - 1)) start--;
    const axes = Array.from({ length: end - start }, (_, i) => start + i);
    const kept = [...result.shape.slice(0, start), ...axes.map(() => 1), ...result.shape.slice(end)];
    result = reshape(sum(result, axes), kept);
    end = start;
  }
  return reshape(result, shape);
}

type Grouping = Pick<ReduceAttributes, 'outer' | 'size' | 'inner' | 'result' | 'kept'>;

function reduce(x: Tensor, grouping: Grouping, kind: 'sum' | 'max' = 'sum', scale = 1): Tensor {
  return applyOne(reduceOp, [x], { ...grouping, kind, scale, code: [], shape: x.shape });
}

function groupAxes(shape: Shape, axes: readonly number[] = shape.map((_, d) => d)): Grouping {
  const sorted = axes.map((axis) => (axis < 0 ? shape.length + axis : axis)).sort((a, b) => a - b);
  const first = sorted[0];
  const last = sorted.at(-1);
  if (
    first === undefined ||
    last === undefined ||
    last >= shape.length ||
    last - first + 1 !== sorted.length
  ) {
    throw new ShapeError(`a reduction of [${shape}] needs neighbouring axes, got [${axes}]`);
  }
  const result = [...shape.slice(0, first), ...shape.slice(last + 1)];
  return {
    outer: elementCount(shape.slice(0, first)),
    size: elementCount(shape.slice(first, last + 1)),
    inner: elementCount(shape.slice(last + 1)),
    result: result.length > 0 ? result : [1],
    kept: shape.map((size, d) => (d >= first && d <= last ? 1 : size)),
  };
}
