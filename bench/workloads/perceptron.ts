import type { Tensor } from '#src/engine/graph/tensor.js';
import { grad } from '#src/kernels/common/grad.js';
import { matmul } from '#src/kernels/conv/conv.js';
import { add, broadcastTo, relu } from '#src/kernels/pointwise/pointwise-table.js';
import type { Jax, JaxArray } from '../contenders/jax.js';
import type { Tf, TfTensor } from '../contenders/tfjs.js';
import type { TensorForm } from '../entrant.js';
import { softmaxCrossEntropy } from '../networks/softmax-cross-entropy.js';
import { tensorOperation } from '../tensor-operation.js';
import type { Workload } from '../workload.js';

/**
 * The perceptron of Meganeura's own benchmark of latency (kvark/meganeura 938adf6, bench/bench_ci_latency.rs): so little work
 * that dispatches and submits are all that takes time. Its own figures count upload, update and read-back; these do not.
 */
const [BATCH, INPUTS, HIDDEN, CLASSES] = [16, 128, 64, 10] as const;

/** Images, labels, then the parameters. */
const OPERANDS: readonly TensorForm[] = [
  { shape: [BATCH, INPUTS] },
  { shape: [BATCH, CLASSES], fill: 'classes' },
  { shape: [INPUTS, HIDDEN] },
  { shape: [1, HIDDEN] },
  { shape: [HIDDEN, HIDDEN] },
  { shape: [1, HIDDEN] },
  { shape: [HIDDEN, CLASSES] },
];
const PARAMETERS = OPERANDS.slice(2);
const MULTIPLY_ADDS = BATCH * (INPUTS * HIDDEN + HIDDEN * HIDDEN + HIDDEN * CLASSES);

export const perceptrons: readonly Workload[] = [
  tensorOperation({
    name: `perceptron-${[INPUTS, HIDDEN, HIDDEN, CLASSES].join('-')}-batch${BATCH}`,
    direction: 'step',
    shape: `${BATCH}×${INPUTS} → ${HIDDEN} → ${HIDDEN} → ${CLASSES}`,
    settings:
      "the sizes of Meganeura's own benchmark of latency (kvark/meganeura 938adf6, bench_ci_latency.rs); forward, " +
      'cross-entropy (softmax), backward; no update, upload or read-back',
    // the gradient of a product is two products, and the first layer's input wants none
    flops: 2 * (3 * MULTIPLY_ADDS - BATCH * INPUTS * HIDDEN),
    operands: OPERANDS,
    results: [{ shape: [1] }, ...PARAMETERS],
    tailray: ([x, y, ...parameters]) => {
      if (!x || !y) return [];
      const [w1, b1, w2, b2, w3] = parameters as Five<Tensor>;
      const layer = (input: Tensor, w: Tensor, b: Tensor) => {
        const z = matmul(input, w);
        return relu(add(z, broadcastTo(b, z.shape)));
      };
      const logits = matmul(layer(layer(x, w1, b1), w2, b2), w3);
      const bound = softmaxCrossEntropy.bind({});
      if (bound.kind !== 'batch') return [];
      const loss = bound.trace({ logits, targets: y, reduction: 'mean', statistics: {} });
      return [loss, ...grad(loss, parameters)];
    },
    tfjs: (tf, [x, y, ...parameters]) => {
      if (!x || !y) return [];
      const loss = () => tfjsLoss(tf, x, y, parameters as Five<TfTensor>);
      const { value, grads } = tf.engine().gradients(loss, parameters);
      return [value, ...grads];
    },
    jax: (jax, [x, y, ...parameters]) => {
      if (!x || !y) return [];
      const of = (...given: JaxArray[]) => jaxLoss(jax, x, y, given as Five<JaxArray>);
      const [value, pull] = jax.vjp(of, parameters);
      const one = jax.numpy.array(Float32Array.of(1), { shape: [] });
      return [value, ...pull(one)];
    },
    pytorch:
      '(lambda f, p: (lambda y, g: [y, *g])(*torch.autograd.functional.vjp(f, p)))(lambda a, b, c, d, e: ' +
      'F.cross_entropy(torch.relu(torch.relu(x0 @ a + b) @ c + d) @ e, x1), (x2, x3, x4, x5, x6))',
  }),
];

type Five<T> = [T, T, T, T, T];

function tfjsLoss(tf: Tf, x: TfTensor, y: TfTensor, [w1, b1, w2, b2, w3]: Five<TfTensor>): TfTensor {
  const first = tf.relu(tf.add(tf.matMul(x, w1), b1));
  const second = tf.relu(tf.add(tf.matMul(first, w2), b2));
  const logits = tf.matMul(second, w3);
  return tf.mean(tf.sub(tf.logSumExp(logits, 1), tf.sum(tf.mul(logits, y), [1])));
}

function jaxLoss(
  { nn, numpy }: Jax,
  x: JaxArray,
  y: JaxArray,
  [w1, b1, w2, b2, w3]: Five<JaxArray>,
): JaxArray {
  const first = nn.relu(numpy.add(numpy.matmul(x, w1), b1));
  const second = nn.relu(numpy.add(numpy.matmul(first, w2), b2));
  const products = numpy.multiply(y, nn.logSoftmax(numpy.matmul(second, w3)));
  return numpy.multiply(numpy.sum(products), -1 / BATCH);
}
