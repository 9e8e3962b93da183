import { ShapeError } from '../../engine/errors.js';
import { at, type Tensor } from '../../engine/graph/tensor.js';
import { pointwise } from '../pointwise/pointwise.js';
import type { PointwiseFunction } from '../pointwise/pointwise-function.js';
import { add, div, mul, square } from '../pointwise/pointwise-table.js';
import { mean, sum } from '../reduce/reduce.js';
import { reshape } from '../shape/reshape.js';

/**
 * Global response normalisation (Woo et al., "ConvNeXt V2", arXiv 2301.00808, section 3.2): a channel is strengthened
 * by how much it responds to the whole image, compared with the other channels. With G_c the L2 norm of channel c over
 * all pixels,
 *
 *     y = x + γ·x·G / (mean over channels of G + ε) + β
 *
 * Forward reads x twice (the norms; the result), backward reads dy and x twice; all else is of size [n, c].
 *
 * @param x [n, h, w, c] @param gamma [c] @param beta [c]
 */
export function globalResponseNorm(
  x: Tensor,
  gamma: Tensor,
  beta: Tensor,
  { epsilon }: { epsilon: number },
): Tensor {
  if (x.shape.length !== 4) throw new ShapeError(`globalResponseNorm needs [n, h, w, c], got [${x.shape}]`);
  const [images, channels] = [at(x.shape, 0), at(x.shape, 3)];
  for (const [name, { shape }] of [['gamma', gamma] as const, ['beta', beta] as const]) {
    if (shape.length !== 1 || shape[0] !== channels) {
      throw new ShapeError(`globalResponseNorm: ${name} must be [${channels}], got [${shape}]`);
    }
  }
  const norms = pointwise(root, [sum(square(x), [1, 2])]);
  const level = reshape(mean(norms, [1]), [images, 1]);
  const response = div(norms, add(level, epsilon));
  const scale = add(mul(response, gamma), 1);
  return add(mul(x, reshape(scale, [images, 1, 1, channels])), beta);
}

/** √x, with the slope 0 at 0 that PyTorch gives a norm: a channel whose activations are all 0 is common after GELU. */
const root: PointwiseFunction = {
  name: 'root',
  wgsl: ([x]) => `sqrt(${x})`,
  gradient: ({ gradient, output }) => [mul(gradient, pointwise(rootSlope, [output]))],
};

/** 1 / 2y, where y is the root. */
const rootSlope: PointwiseFunction = {
  name: 'rootSlope',
  wgsl: ([y]) => `sign(${y}) * T(0.5) / max(${y}, T(1e-30))`,
  flops: 3,
  gradient: () => {
    throw new ShapeError('globalResponseNorm has no second derivative');
  },
};
