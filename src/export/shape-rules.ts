import { at, elementCount, type Node, type Shape, type Tensor } from '../engine/graph/tensor.js';
import type { ReduceAttributes } from '../kernels/reduce/reduce.js';
import type { PadAttributes } from '../kernels/shape/movement.js';
import { ExportError } from './export-error.js';
import { inOrder, type Translation } from './translation.js';

/** What changes shapes: reductions, and moving elements without computing. */

/** Sums, means and maxima over neighbouring axes, which go away. */
export function reduceRule(node: Node<ReduceAttributes>, to: Translation): void {
  const [x, y] = [at(node.inputs, 0), at(node.outputs, 0)];
  const { kind, scale, size, code } = node.attributes;
  if (code.length > 0) throw new ExportError(`${node.label}: the graph has been rewritten already.`);
  const reduced = reducedAxes(node.attributes, x);
  const { name, axes } = to.stored(x);
  const physical = reduced.map((axis) => axes.indexOf(axis)).sort((a, b) => a - b);
  const mean = kind === 'sum' && scale === 1 / size;
  let result: string;
  if (kind === 'max') result = to.emit('ReduceMax', [name], { axes: physical, keepdims: 0 });
  else if (mean) result = to.emit('ReduceMean', [name], { axes: physical, keepdims: 0 });
  else {
    result = to.emit('ReduceSum', [name, to.integers(physical)], { keepdims: 0 });
    if (scale !== 1) result = to.emit('Mul', [result, to.scalar(scale)]);
  }
  // Ours keeps one axis of one element.
  if (reduced.length === x.shape.length) to.set(y, to.emit('Reshape', [result, to.integers([1])]));
  else {
    const left = axes.filter((axis) => !reduced.includes(axis));
    const ranked = left.toSorted((a, b) => a - b);
    to.set(
      y,
      result,
      left.map((axis) => ranked.indexOf(axis)),
    );
  }
}

/** A reduction notes lengths; with a batch of more than one, only axes of a single element leave a choice, and none matters. */
function reducedAxes({ outer, inner, size, result, shape }: ReduceAttributes, x: Tensor): number[] {
  if (size === elementCount(shape)) return inOrder(x);
  const count = shape.length - result.length;
  const first = shape.findIndex(
    (_, d) => elementCount(shape.slice(0, d)) === outer && elementCount(shape.slice(d + count)) === inner,
  );
  return Array.from({ length: count }, (_, i) => first + i);
}

/** Axes whose size is free are copied from the operand, or worked out from the others. */
export function reshapeRule(
  { inputs, outputs, label }: Node<{ readonly shape: Shape }>,
  to: Translation,
): void {
  const [x, y] = [at(inputs, 0), at(outputs, 0)];
  const sizes = y.shape.map((_, d) => {
    const fixed = to.sizes.fixed(y, d);
    if (fixed !== undefined) return fixed;
    return d < x.shape.length && to.sizes.same(x, d, y, d) ? 0 : -1;
  });
  if (sizes.filter((size) => size === -1).length > 1) {
    throw new ExportError(
      `${label}: more than one of its sizes [${y.shape}] depends on the image: give one image size.`,
    );
  }
  to.set(y, to.emit('Reshape', [to.ordered(x), to.integers(sizes)]));
}

/** Another name for each axis: elements are moved when somebody needs them in an order. */
export function permuteRule(
  { inputs, outputs, attributes }: Node<{ readonly axes: readonly number[] }>,
  to: Translation,
): void {
  const { name, axes } = to.stored(at(inputs, 0));
  to.set(
    at(outputs, 0),
    name,
    axes.map((axis) => attributes.axes.indexOf(axis)),
  );
}

export function concatRule(
  { inputs, outputs, attributes }: Node<{ readonly axis: number }>,
  to: Translation,
): void {
  const { axes } = to.stored(at(inputs, 0));
  const names = inputs.map((input) => to.ordered(input, axes));
  to.set(at(outputs, 0), to.emit('Concat', names, { axis: axes.indexOf(attributes.axis) }), axes);
}

export function sliceRule(
  { inputs, outputs, attributes, label }: Node<{ readonly starts: readonly number[]; readonly sizes: Shape }>,
  to: Translation,
): void {
  const [x, y] = [at(inputs, 0), at(outputs, 0)];
  const { name, axes } = to.stored(x);
  const cut = inOrder(x).filter((d) => !to.sizes.same(x, d, y, d));
  if (cut.some((d) => to.sizes.fixed(y, d) === undefined)) {
    throw new ExportError(
      `${label}: what it cuts out depends on the size of the image: give one image size.`,
    );
  }
  const starts = cut.map((d) => at(attributes.starts, d));
  const ends = cut.map((d, i) => at(starts, i) + at(attributes.sizes, d));
  const lists = [starts, ends, cut.map((d) => axes.indexOf(d))].map((values) => to.integers(values));
  to.set(y, to.emit('Slice', [name, ...lists]), axes);
}

export function padRule({ inputs, outputs, attributes }: Node<PadAttributes>, to: Translation): void {
  const { name, axes } = to.stored(at(inputs, 0));
  const amounts = [attributes.before, attributes.after].flatMap((side) => axes.map((axis) => at(side, axis)));
  to.set(at(outputs, 0), to.emit('Pad', [name, to.integers(amounts), to.scalar(attributes.value)]), axes);
}
