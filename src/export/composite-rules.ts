import type { Composite, Tensor } from '../engine/graph/tensor.js';
import { emitConv } from './conv-rules.js';
import { batchNormRule } from './norm-rules.js';
import type { Translation } from './translation.js';

/**
 * Operations that ONNX has as one and that we trace as several ops (see `Graph.composite`). One without a row here is
 * translated op by op.
 */
export type CompositeRule = (composite: Composite, result: Tensor, to: Translation) => void;

export const COMPOSITE_RULES: Readonly<Record<string, CompositeRule>> = {
  conv2d({ inputs: [x, w, bias], attributes: { stride = 1, padding = 0, groups = 1 } }, y, to) {
    if (!x || !w) return;
    const strides = [stride, stride] as const;
    emitConv({ x, w, bias, y, strides, dilations: [1, 1], before: [padding, padding], groups }, to);
  },

  linear({ inputs: [x, w, b] }, y, to) {
    if (!x || !w || !b) return;
    if (x.shape.length === 2) {
      to.set(y, to.emit('Gemm', [to.ordered(x), to.ordered(w, TRANSPOSED), to.ordered(b)], { transB: 1 }));
    } else {
      to.set(y, to.emit('Add', [to.emit('MatMul', [to.ordered(x), to.ordered(w)]), to.ordered(b)]));
    }
  },

  matmul({ inputs: [a, b], attributes: { transposeA, transposeB } }, y, to) {
    if (!a || !b) return;
    const operands = [
      to.ordered(a, transposeA ? TRANSPOSED : PLAIN),
      to.ordered(b, transposeB ? TRANSPOSED : PLAIN),
    ];
    to.set(y, to.emit('MatMul', operands));
  },

  batchNormInference: batchNormRule,
  softmax: alongAxis('Softmax'),
  logSoftmax: alongAxis('LogSoftmax'),
};

const PLAIN = [0, 1];
const TRANSPOSED = [1, 0];

function alongAxis(operator: string): CompositeRule {
  return ({ inputs: [x], attributes: { axis = 0 } }, y, to) => {
    if (!x) return;
    const { name, axes } = to.stored(x);
    to.set(y, to.emit(operator, [name], { axis: axes.indexOf(axis) }), axes);
  };
}
