import { ShapeError } from '../engine/errors.js';
import {
  applyOne,
  at,
  type Binding,
  elementCount,
  type Kernel,
  type Op,
  type Problem,
  type Shape,
  sameShape,
  type Tensor,
} from '../engine/tensor.js';
import { compose, type Expression, emitExpression, expressionFlops } from './expression.js';
import { flatGrid } from './grid.js';
import { pointwiseOp } from './pointwise.js';
import { broadcastTo, div, greater, mul, sub } from './pointwise-table.js';
import { reshape } from './reshape.js';

/**
 * Sums and maxima over a contiguous group of axes: the operand is seen as [outer, size, inner] and `size` goes away.
 * The operand may be an expression (pointwise producers are merged in), so that e.g. Σ dy·x̂ is one pass.
 *
 * Order is fixed: every lane walks its own chunk in order, then a second dispatch walks the chunks in order. So the
 * result has the same bits at every run, and rounding grows with the chunk length, not with the size.
 */
interface ReduceAttributes extends Expression {
  readonly kind: 'sum' | 'max';
  readonly outer: number;
  readonly size: number;
  readonly inner: number;
  /** Shape of the result. */
  readonly result: Shape;
}

/** Elements that one lane adds up in a row. */
const CHUNK = 256;

export const reduceOp: Op<ReduceAttributes> = {
  name: 'reduce',

  infer(_inputs, { result }) {
    return [{ shape: result, dtype: 'f32' }];
  },

  vjp(node, [gradient]) {
    const input = node.inputs[0];
    const { kind, outer, size, inner, result } = node.attributes;
    if (!gradient || !input) return [];
    const spread = (x: Tensor) =>
      reshape(broadcastTo(reshape(x, [outer, 1, inner]), [outer, size, inner]), input.shape);
    if (kind === 'sum') return [spread(gradient)];
    // The gradient of a maximum goes to every element that reaches it, in equal parts, as in PyTorch's amax.
    const reached = sub(1, greater(spread(at(node.outputs, 0)), input));
    const share = div(gradient, reduce(reached, 'sum', { outer, size, inner, result }));
    return [mul(spread(share), reached)];
  },

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

  variants: [
    {
      name: 'serial',
      unfit: () => undefined,
      rank: () => 1,
      build: (problem, traits) => serialKernel(problem, traits),
    },
  ],
};

function serialKernel(
  { inputs, attributes }: Problem<ReduceAttributes>,
  traits: Parameters<typeof flatGrid>[2],
): Kernel {
  const { outer, size, inner, kind } = attributes;
  const { code, bindings } = emitExpression(attributes, inputs, false);
  const rows = outer * inner;
  const chunks = rows >= 4096 ? 1 : Math.ceil(size / CHUNK);
  const output = { kind: 'output', index: 0 } as const;
  const partial = { kind: 'scratch', index: 0 } as const;
  const first = reducePass(
    { code, bindings, value: 'value', target: chunks === 1 ? output : partial },
    { kind, outer, size, inner, chunks },
    traits,
  );
  if (chunks === 1) return { scratch: [], steps: [first] };
  const second = reducePass(
    {
      code: 'fn value(i: u32) -> f32 { return partial[i]; }\n',
      bindings: [{ name: 'partial', operand: partial, access: 'read', type: 'f32' }],
      value: 'value',
      target: output,
    },
    { kind, outer, size: chunks, inner, chunks: 1 },
    traits,
  );
  return { scratch: [{ kind: 'buffer', bytes: outer * chunks * inner * 4 }], steps: [first, second] };
}

/** One lane reduces `size / chunks` consecutive rows of one column of [outer, size, inner]. */
function reducePass(
  source: { code: string; bindings: Binding[]; value: string; target: Binding['operand'] },
  {
    kind,
    outer,
    size,
    inner,
    chunks,
  }: { kind: 'sum' | 'max'; outer: number; size: number; inner: number; chunks: number },
  traits: Parameters<typeof flatGrid>[2],
): Kernel['steps'][number] {
  const length = Math.ceil(size / chunks);
  const lanes = outer * chunks * inner;
  const grid = flatGrid(lanes, 64, traits);
  const accumulate = kind === 'sum' ? 'total = total + x;' : 'total = max(total, x);';
  return {
    kind: 'dispatch',
    bindings: [
      ...source.bindings,
      { name: 'reduced', operand: source.target, access: 'read_write', type: 'f32' },
    ],
    workgroups: grid.workgroups,
    code: `${source.code}${grid.code}
@compute @workgroup_size(64) fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let id = flatIndex(group, lane);
  if (id >= ${lanes}u) { return; }
  let column = id % ${inner}u;
  let chunk = (id / ${inner}u) % ${chunks}u;
  let block = id / ${inner * chunks}u;
  let first = chunk * ${length}u;
  let last = min(first + ${length}u, ${size}u);
  var total = ${kind === 'sum' ? '0.0' : '-0x1.fffffep+127f'};
  for (var k = first; k < last; k++) {
    let x = ${source.value}((block * ${size}u + k) * ${inner}u + column);
    ${accumulate}
  }
  reduced[id] = total;
}`,
  };
}

/** @param axes contiguous, e.g. [0, 1, 2] or [-1]; all axes if left out @returns without these axes (at least [1]) */
export function sum(x: Tensor, axes?: readonly number[]): Tensor {
  return reduce(x, 'sum', groupAxes(x.shape, axes));
}

/** The largest element along contiguous axes. */
export function max(x: Tensor, axes?: readonly number[]): Tensor {
  return reduce(x, 'max', groupAxes(x.shape, axes));
}

export function mean(x: Tensor, axes?: readonly number[]): Tensor {
  const grouping = groupAxes(x.shape, axes);
  return mul(reduce(x, 'sum', grouping), 1 / grouping.size);
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

type Grouping = Pick<ReduceAttributes, 'outer' | 'size' | 'inner' | 'result'>;

function reduce(x: Tensor, kind: 'sum' | 'max', grouping: Grouping): Tensor {
  return applyOne(reduceOp, [x], { kind, code: [], shape: x.shape, ...grouping });
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
  };
}
