import { at, type Composite, type Node, type Tensor } from '../engine/graph/tensor.js';
import { inOrder, type Translation } from './translation.js';

/** Normalisations that ONNX has as operators. */

/** By running statistics; ONNX wants the channels second. */
export function batchNormRule(
  { inputs: [x, gamma, beta, mean, variance], attributes: { epsilon = 0 } }: Composite,
  y: Tensor,
  to: Translation,
): void {
  if (!x || !gamma || !beta || !mean || !variance) return;
  const [batch = 0, ...others] = inOrder(x);
  const axes = [batch, at(others, -1), ...others.slice(0, -1)];
  const operands = [
    to.ordered(x, axes),
    ...[gamma, beta, mean, variance].map((vector) => to.ordered(vector)),
  ];
  to.set(y, to.emit('BatchNormalization', operands, { epsilon: { float: epsilon } }), axes);
}

export function layerNormRule(
  { inputs, outputs, attributes: { epsilon } }: Node<{ readonly epsilon: number }>,
  to: Translation,
): void {
  const operands = inputs.map((operand) => to.ordered(operand));
  to.set(at(outputs, 0), to.emit('LayerNormalization', operands, { axis: -1, epsilon: { float: epsilon } }));
}
