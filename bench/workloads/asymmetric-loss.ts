import { at, elementCount } from '#src/engine/graph/tensor.js';
import { grad } from '#src/kernels/common/grad.js';
import { asl } from '#src/losses/asl.js';
import { traceLoss } from '#src/losses/define/trace-loss.js';
import type { Jax, JaxArray } from '../contenders/jax.js';
import type { Tf, TfTensor } from '../contenders/tfjs.js';
import { tensorOperation } from '../tensor-operation.js';
import type { Workload } from '../workload.js';

/**
 * Asymmetric loss (arXiv 2009.14119), value and gradient: tailray's fused kernel beside the formula composed of a
 * library's own ops, as its users write it: Σ y(1−p)·(−log p) + (1−y)·p_m⁴·(−log(1−p_m)), p_m = max(p − 0.05, 0).
 */
const MARGIN = 0.05;

export const asymmetricLosses: readonly Workload[] = [
  [4096, 36],
  [256, 30],
].map((shape) =>
  tensorOperation({
    name: `asl-${shape.join('x')}`,
    direction: 'step',
    shape: shape.join('×'),
    flops: 80 * elementCount(shape),
    operands: [{ shape }, { shape, fill: 'labels' }],
    results: [{ shape: [1] }, { shape }],
    tailray: (x) => {
      const logits = at(x, 0);
      const total = traceLoss(asl, {}, logits, at(x, 1), { reduction: 'sum' });
      return [total, ...grad(total, [logits])];
    },
    tfjs: (tf, x) => {
      const logits = at(x, 0);
      const { value, grads } = tf.engine().gradients(() => tfjsLoss(tf, logits, at(x, 1)), [logits]);
      return [value, ...grads];
    },
    jax: (jax, x) => jax.valueAndGrad((logits) => jaxLoss(jax, logits, at(x, 1)))(at(x, 0)),
  }),
);

function tfjsLoss(tf: Tf, x: TfTensor, y: TfTensor): TfTensor {
  const p = tf.sigmoid(x);
  const shifted = tf.relu(tf.sub(p, MARGIN));
  const positive = tf.mul(tf.mul(y, tf.sub(1, p)), tf.softplus(tf.neg(x)));
  const focus = tf.square(tf.square(shifted));
  const negative = tf.mul(tf.mul(tf.sub(1, y), focus), tf.log(tf.sub(1, shifted)));
  return tf.sum(tf.sub(positive, negative));
}

function jaxLoss({ numpy, nn }: Jax, x: JaxArray, y: JaxArray): JaxArray {
  const p = nn.sigmoid(x.ref);
  const shifted = nn.relu(numpy.subtract(p.ref, MARGIN));
  const gain = nn.softplus(numpy.negative(x));
  const positive = numpy.multiply(numpy.multiply(y.ref, numpy.subtract(1, p)), gain);
  const focus = numpy.square(numpy.square(shifted.ref));
  const cost = numpy.log(numpy.subtract(1, shifted));
  const negative = numpy.multiply(numpy.multiply(numpy.subtract(1, y), focus), cost);
  return numpy.sum(numpy.subtract(positive, negative));
}
