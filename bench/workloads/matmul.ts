import { at } from '#src/engine/graph/tensor.js';
import { matmul } from '#src/kernels/conv/conv.js';
import { tensorOperation } from '../tensor-operation.js';
import type { Workload } from '../workload.js';

/** Square matrix products. */
export const matmuls: readonly Workload[] = [512, 1024, 2048].map((n) =>
  tensorOperation({
    name: `matmul-${n}`,
    direction: 'forward',
    shape: `${n}×${n} · ${n}×${n}`,
    flops: 2 * n ** 3,
    operands: [{ shape: [n, n] }, { shape: [n, n] }],
    results: [{ shape: [n, n] }],
    tailray: (x) => [matmul(at(x, 0), at(x, 1))],
    tfjs: (tf, x) => [tf.matMul(at(x, 0), at(x, 1))],
    jax: ({ numpy }, x) => [numpy.matmul(at(x, 0), at(x, 1))],
    onnx: { op: 'MatMul' },
    pytorch: 'x0 @ x1',
  }),
);
