import { ShapeError } from '../../engine/errors.js';
import { at, elementCount, type Op, type Tensor } from '../../engine/graph/tensor.js';
import { byFirstAxis } from '../common/rows.js';
import { storageTypeOf } from '../common/storage-type.js';
import { pointwise } from '../pointwise/pointwise.js';
import type { PointwiseFunction } from '../pointwise/pointwise-function.js';
import { exp, mul, sub } from '../pointwise/pointwise-table.js';
import { reshape } from '../shape/reshape.js';
import { aliasT, type Fold, foldExtent, foldVariants, typeT } from './fold.js';
import { sum } from './reduce.js';

/**
 * Softmax and its logarithm along one axis, stable for any finite input: one read of x for the peak and the sum of
 * exponentials, one pointwise pass for the result.
 */

/** eˣ / Σ eˣ @param axis default: the last */
export function softmax(x: Tensor, axis = -1): Tensor {
  const d = checkedAxis('softmax', x, axis);
  const composite = { name: 'softmax', inputs: [x], attributes: { axis: d } };
  return x.graph.composite(composite, () => pointwise(softmaxOf, [x, ...exponentialSum(x, d)], [d]));
}

/** x − log Σ eˣ @param axis default: the last */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  const d = checkedAxis('logSoftmax', x, axis);
  const composite = { name: 'logSoftmax', inputs: [x], attributes: { axis: d } };
  return x.graph.composite(composite, () => pointwise(logSoftmaxOf, [x, ...exponentialSum(x, d)], [d]));
}

/** The gradients are those of the whole function: peak and total depend on x and take no gradient of their own. */
const softmaxOf: PointwiseFunction = {
  name: 'softmax',
  wgsl: ([x, peak, total]) => `exp(${x} - ${peak}) / ${total}`,
  flops: 3,
  gradient({ gradient, output: y, params: [axis = 0] }) {
    // y·(dy − Σ dy·y)
    return [mul(y, sub(gradient, alongAxis(mul(gradient, y), axis)))];
  },
};

const logSoftmaxOf: PointwiseFunction = {
  name: 'logSoftmax',
  wgsl: ([x, peak, total]) => `${x} - ${peak} - log(${total})`,
  flops: 3,
  gradient({ gradient, output: y, params: [axis = 0] }) {
    // dy − softmax·Σ dy
    return [sub(gradient, mul(exp(y), alongAxis(gradient, axis)))];
  },
};

/** Sum along one axis, which stays with size 1. */
function alongAxis(x: Tensor, axis: number): Tensor {
  return reshape(
    sum(x, [axis]),
    x.shape.map((size, d) => (d === axis ? 1 : size)),
  );
}

/** The largest element and Σ e^(x − peak) along the axis, which stays with size 1. */
function exponentialSum(x: Tensor, axis: number): [peak: Tensor, total: Tensor] {
  const outputs = x.graph.apply(exponentialSumOp, [x], { axis });
  return [at(outputs, 0), at(outputs, 1)];
}

/** One read: the sum is relative to the largest element so far (Milakov & Gimelshein, arXiv 1805.02867). */
const exponentialSumOp: Op<{ readonly axis: number }> = {
  name: 'exponentialSum',
  infer([x], { axis }) {
    const shape = (x?.shape ?? []).map((size, d) => (d === axis ? 1 : size));
    return [
      { shape, dtype: 'f32' },
      { shape, dtype: 'f32' },
    ];
  },
  rows: (problem) => (problem.attributes.axis > 0 ? byFirstAxis(problem, [true]) : undefined),
  halves: { inputs: 'all', outputs: [] },
  flops: ({ inputs: [x] }) => 5 * elementCount(x?.shape ?? []),
  variants: foldVariants(({ inputs, attributes: { axis } }) => {
    const shape = inputs[0]?.shape ?? [];
    const inner = elementCount(shape.slice(axis + 1));
    const { width, extent } = foldExtent({
      outer: elementCount(shape.slice(0, axis)),
      size: shape[axis] ?? 1,
      inner,
    });
    const across = width === 4 && inner === 1;
    const fold: Fold = {
      width,
      state: { vectors: ['peak', 'total'] },
      empty: 'State(T(-0x1.fffffep+127f), T(0.0))',
      source: aliasT(width),
      merge: `fn merge(a: State, b: State) -> State {
  let delta = b.peak - a.peak;
  let smaller = exp(-abs(delta));
  return State(
    max(a.peak, b.peak),
    select(a.total + b.total * smaller, a.total * smaller + b.total, delta > T(0.0)),
  );
}`,
      accumulate: 's = merge(s, State(T(x[i]), T(1.0)));',
      finish: across
        ? `let largest = max(max(s.peak.x, s.peak.y), max(s.peak.z, s.peak.w));
    peak[id] = largest; total[id] = dot(s.total, exp(s.peak - largest));`
        : 'peak[id] = s.peak; total[id] = s.total;',
      inputs: [
        {
          name: 'x',
          operand: { kind: 'input', index: 0 },
          access: 'read',
          type: storageTypeOf(inputs, 0, width),
        },
      ],
      outputs: ['peak', 'total'].map((name, index) => ({
        name,
        operand: { kind: 'output', index },
        access: 'read_write',
        type: typeT(across ? 1 : width),
      })),
    };
    return { fold, extent };
  }),
};

function checkedAxis(op: string, x: Tensor, axis: number): number {
  const d = axis < 0 ? axis + x.shape.length : axis;
  if (!Number.isInteger(d) || d < 0 || d >= x.shape.length) {
    throw new ShapeError(`${op}: [${x.shape}] has no axis ${axis}`);
  }
  return d;
}
