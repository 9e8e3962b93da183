import { at, type Node } from '../engine/graph/tensor.js';
import type { BmmGeometry } from '../kernels/product/bmm-geometry.js';
import type { Translation } from './translation.js';

/** A product of matrices for each of a batch; ONNX's MatMul transposes nothing itself. */
export function bmmRule({ inputs, outputs, attributes }: Node<BmmGeometry>, to: Translation): void {
  const operands = [attributes.transposeA, attributes.transposeB].map((transpose, i) =>
    to.ordered(at(inputs, i), transpose ? [0, 2, 1] : [0, 1, 2]),
  );
  to.set(at(outputs, 0), to.emit('MatMul', operands));
}
