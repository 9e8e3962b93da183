import type { Shape } from '#src/engine/graph/tensor.js';
import { OnnxGraph } from '#src/export/onnx-graph.js';

/** An ONNX model of a single node: all that timing one op takes. */
export interface OnnxNode {
  readonly op: 'MatMul' | 'Conv';
  readonly attributes?: Readonly<Record<string, number | readonly number[]>>;
}

/** f32 inputs named `x0`, `x1`… and one output `y`. */
export function onnxModel(
  { op, attributes = {} }: OnnxNode,
  inputs: readonly Shape[],
  output: Shape,
): Uint8Array {
  const graph = new OnnxGraph();
  const operands = inputs.map((shape, i) => graph.input(`x${i}`, shape));
  graph.output('y', output, graph.node(op, operands, attributes));
  return graph.encode({ name: op, version: '' });
}
