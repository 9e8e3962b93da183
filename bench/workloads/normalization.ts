import { at, elementCount, type Shape, type Tensor } from '#src/engine/graph/tensor.js';
import { grad } from '#src/kernels/common/grad.js';
import { batchNorm } from '#src/kernels/norm/batch-norm.js';
import { layerNorm } from '#src/kernels/norm/layer-norm.js';
import type { Jax, JaxArray } from '../contenders/jax.js';
import type { Tf, TfTensor } from '../contenders/tfjs.js';
import type { TensorForm } from '../entrant.js';
import { tensorOperation } from '../tensor-operation.js';
import type { Workload } from '../workload.js';

/**
 * Normalisation as a training step meets it: from x, γ, β and the gradient of the result to the result and the
 * gradients of x, γ and β. Layouts have channels last in every library.
 */

const EPSILON = 1e-5;

interface Norm {
  readonly name: string;
  readonly shape: Shape;
  readonly flopsPerElement: number;
  /** Reads and writes of a whole tensor that cannot be avoided. */
  readonly passes: number;
  tailray(x: Tensor, gamma: Tensor, beta: Tensor): Tensor;
  tfjs(tf: Tf, x: TfTensor, gamma: TfTensor, beta: TfTensor): TfTensor;
  /** Axes whose values are normalised together, of as many as `shape` has. */
  readonly axes: readonly number[];
}

const BATCH: Omit<Norm, 'shape'> = {
  name: 'batchnorm',
  flopsPerElement: 3 + 4 + 5 + 9,
  // forward: x for the moments, x again, y; backward: dy and x for the sums, both again, dx
  passes: 8,
  axes: [0, 1, 2],
  tailray: (x, gamma, beta) => batchNorm(x, gamma, beta, { epsilon: EPSILON }).y,
  tfjs: (tf, x, gamma, beta) => {
    const { mean, variance } = tf.moments(x, [0, 1, 2]);
    return tf.batchNorm(x, mean, variance, beta, gamma, EPSILON);
  },
};

const LAYER: Omit<Norm, 'shape'> = {
  name: 'layernorm',
  flopsPerElement: 3 + 4 + 8 + 9,
  // a row fits into registers: x and y; dy, x and dx
  passes: 5,
  axes: [3],
  tailray: (x, gamma, beta) => layerNorm(x, gamma, beta, { epsilon: EPSILON }),
  tfjs: (tf, x, gamma, beta) => {
    const { mean, variance } = tf.moments(x, [3], true);
    const normal = tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, EPSILON)));
    return tf.add(tf.mul(normal, gamma), beta);
  },
};

const NORMS: readonly Norm[] = [
  { ...BATCH, shape: [8, 32, 32, 64] },
  { ...BATCH, shape: [4, 56, 56, 256] },
  { ...LAYER, shape: [8, 32, 32, 96] },
  { ...LAYER, shape: [4, 56, 56, 256] },
];

export const normalizations: readonly Workload[] = NORMS.map((norm) => {
  const { name, shape } = norm;
  const elements = elementCount(shape);
  const channels: TensorForm = { shape: [at(shape, -1)] };
  return tensorOperation({
    name: `${name}-${shape.join('x')}`,
    direction: 'step',
    shape: shape.join('×'),
    flops: norm.flopsPerElement * elements,
    bytes: 4 * norm.passes * elements,
    operands: [{ shape }, channels, channels, { shape }],
    results: [{ shape }, { shape }, channels, channels],
    tailray: (operands) => {
      const [x, gamma, beta, dy] = four(operands);
      const y = norm.tailray(x, gamma, beta);
      return [y, ...grad(y, [x, gamma, beta], dy)];
    },
    tfjs: (tf, operands) => {
      const [x, gamma, beta, dy] = four(operands);
      const { value, grads } = tf
        .engine()
        .gradients(() => norm.tfjs(tf, x, gamma, beta), [x, gamma, beta], dy);
      return [value, ...grads];
    },
    jax: (jax, operands) => {
      const [x, gamma, beta, dy] = four(operands);
      const [y, pull] = jax.vjp((...all) => jaxNorm(jax, all, norm.axes), [x, gamma, beta]);
      return [y, ...pull(dy)];
    },
  });
});

function jaxNorm({ numpy }: Jax, all: readonly JaxArray[], axes: readonly number[]): JaxArray {
  const [x, gamma, beta] = [at(all, 0), at(all, 1), at(all, 2)];
  const centred = numpy.subtract(x.ref, numpy.mean(x, axes, { keepdims: true }));
  const variance = numpy.mean(numpy.square(centred.ref), axes, { keepdims: true });
  const scale = numpy.divide(gamma, numpy.sqrt(numpy.add(variance, EPSILON)));
  return numpy.add(numpy.multiply(centred, scale), beta);
}

function four<T>(operands: readonly T[]): readonly [T, T, T, T] {
  return [at(operands, 0), at(operands, 1), at(operands, 2), at(operands, 3)];
}
