import { at } from '#src/engine/graph/tensor.js';
import { matmul } from '#src/kernels/conv/conv.js';
import { tensorOperation } from '../tensor-operation.js';
import type { Workload } from '../workload.js';

/** Square matrix products, and a matrix by a vector. */

interface Sizes {
  readonly name: string;
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
  readonly settings?: string;
  readonly onlyOnGpu?: 'everybody';
}

const square = (n: number) => ({ name: `matmul-${n}`, rows: n, inner: n, columns: n });
const PUBLISHED = "the size of jax-js's own benchmark";

const PRODUCTS: readonly Sizes[] = [
  ...[512, 1024, 2048].map(square),
  {
    ...square(4096),
    settings: `${PUBLISHED} of products (jax-js.com/bench/matmul, df7a468)`,
    onlyOnGpu: 'everybody',
  },
  {
    name: 'matvec-4096',
    rows: 4096,
    inner: 4096,
    columns: 1,
    settings: `${PUBLISHED} of a matrix by a vector (jax-js.com/bench/matvec, 4cb734f)`,
  },
];

export const matmuls: readonly Workload[] = PRODUCTS.map(({ rows, inner, columns, ...about }) =>
  tensorOperation({
    ...about,
    direction: 'forward',
    shape: `${rows}×${inner} · ${inner}×${columns}`,
    flops: 2 * rows * inner * columns,
    operands: [{ shape: [rows, inner] }, { shape: [inner, columns] }],
    results: [{ shape: [rows, columns] }],
    halves: true,
    tailray: (x) => [matmul(at(x, 0), at(x, 1))],
    tfjs: (tf, x) => [tf.matMul(at(x, 0), at(x, 1))],
    jax: ({ numpy }, x) => [numpy.matmul(at(x, 0), at(x, 1))],
    onnx: { op: 'MatMul' },
    pytorch: 'x0 @ x1',
  }),
);
