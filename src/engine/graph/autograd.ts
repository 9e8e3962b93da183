import { ShapeError } from '../errors.js';
import { type Node, type Shape, sameShape, type Tensor } from './tensor.js';

/** The arithmetic that differentiation itself needs; the kernels room passes it in. */
export interface GradientArithmetic {
  add(a: Tensor, b: Tensor): Tensor;
  /** Sums `x` down to a shape that broadcasts to its own: the gradient of a broadcast. */
  sumTo(x: Tensor, shape: Shape): Tensor;
  /** The gradient of the loss itself, of its shape: the walk starts with it. */
  start(loss: Tensor): Tensor;
}

/**
 * Reverse-mode differentiation as a graph-to-graph step: walks the nodes that `loss` depends on backwards, asks each
 * op for its vector-Jacobian product, and appends those ops to the same graph. Nothing is computed here.
 *
 * @param loss a tensor; a non-scalar is differentiated as the sum of its elements
 * @param wrt the tensors to differentiate by
 * @returns one gradient for each of `wrt`, of its shape; undefined where the loss does not depend on it
 */
export function differentiate(
  loss: Tensor,
  wrt: readonly Tensor[],
  arithmetic: GradientArithmetic,
): (Tensor | undefined)[] {
  const { graph } = loss;
  const gradients = new Map<Tensor, Tensor>([[loss, arithmetic.start(loss)]]);
  const path = nodesBetween(wrt, loss, graph.nodes.slice());

  for (const node of path.reverse()) {
    const outputGradients = node.outputs.map((output) => gradients.get(output));
    if (outputGradients.every((gradient) => gradient === undefined)) continue;
    const { vjp } = node.op;
    if (!vjp) throw new ShapeError(`${node.label}: ${node.op.name} has no gradient`);
    graph.scope(`grad:${node.label}`, () => {
      const found = vjp.call(node.op, node, outputGradients);
      const inputGradients = node.inputs.map(
        (input, i) => found[i] && toShapeOf(input, found[i], i, node, arithmetic),
      );
      node.inputs.forEach((input, i) => {
        const gradient = inputGradients[i];
        if (!gradient) return;
        const sum = gradients.get(input);
        gradients.set(input, sum ? arithmetic.add(sum, gradient) : gradient);
      });
    });
  }
  return wrt.map((tensor) => gradients.get(tensor));
}

/** The gradient of an input in the input's own shape: an operand that the op has broadcast gets the sum. */
function toShapeOf(
  input: Tensor,
  gradient: Tensor,
  index: number,
  { op, label }: Node,
  { sumTo }: GradientArithmetic,
): Tensor {
  if (sameShape(gradient.shape, input.shape)) return gradient;
  if (!op.broadcasts) {
    throw new ShapeError(
      `${label}: the gradient of input ${index} is [${gradient.shape}], the input is [${input.shape}]`,
    );
  }
  return sumTo(gradient, input.shape);
}

/** The nodes on a way from any of `from` to `to`, in graph order: only these take part in the backward walk. */
function nodesBetween(from: readonly Tensor[], to: Tensor, nodes: readonly Node[]): Node[] {
  const reached = new Set<Tensor>(from);
  const forward = nodes.filter((node) => {
    if (!node.inputs.some((input) => reached.has(input))) return false;
    for (const output of node.outputs) reached.add(output);
    return true;
  });
  const needed = new Set<Tensor>([to]);
  return forward
    .reverse()
    .filter((node) => {
      if (!node.outputs.some((output) => needed.has(output))) return false;
      for (const input of node.inputs) needed.add(input);
      return true;
    })
    .reverse();
}
