import type { Tf, TfTensor } from '../../contenders/tfjs.js';

/** x·Φ(x), not the approximation by tanh. */
export function gelu(tf: Tf, x: TfTensor): TfTensor {
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));
}
