import { ShapeError } from '../../engine/errors.js';
import { elementCount, type Tensor } from '../../engine/graph/tensor.js';
import { pointwise } from '../pointwise/pointwise.js';
import type { PointwiseFunction } from '../pointwise/pointwise-function.js';
import { add, mul, rsqrt, sub } from '../pointwise/pointwise-table.js';
import { moments, normalizedSums } from '../reduce/channel-sums.js';

/**
 * Batch normalisation (Ioffe & Szegedy 2015) over all axes but the last, in the fewest passes over memory: forward one
 * read for the moments and one pointwise pass, into which the rewriter merges the next ops (ReLU, residual); backward
 * one read of (dy, x) for both sums and one pointwise pass.
 */
export interface BatchNormResult {
  /** Of x's shape. */
  readonly y: Tensor;
  /** [c]. Mean and variance have no gradient of their own: y's includes the paths through them. */
  readonly mean: Tensor;
  /** [c], unbiased (÷ count − 1), as PyTorch's running average takes it. */
  readonly variance: Tensor;
}

/**
 * Normalises by the batch's own moments: y = γ·(x − mean)/√(variance + ε) + β.
 *
 * @param x [..., c] @param gamma [c] @param beta [c]
 * @throws ShapeError if a channel has a single value: its variance says nothing
 */
export function batchNorm(
  x: Tensor,
  gamma: Tensor,
  beta: Tensor,
  { epsilon }: { epsilon: number },
): BatchNormResult {
  const channels = x.shape.at(-1) ?? 0;
  checkChannels('batchNorm', channels, { gamma, beta });
  if (elementCount(x.shape) < 2 * channels) {
    throw new ShapeError(
      `batchNorm: [${x.shape}] has one value a channel; training needs a larger batch or image`,
    );
  }
  const { mean, rstd, variance } = moments(x, epsilon);
  const y = pointwise(normalize, [x, mean, rstd, gamma, beta]);
  return { y, mean, variance };
}

/** The same with given moments, as in evaluation: pointwise, and differentiable in x, gamma and beta like any other. */
export function batchNormInference(
  x: Tensor,
  gamma: Tensor,
  beta: Tensor,
  { mean, variance, epsilon }: { mean: Tensor; variance: Tensor; epsilon: number },
): Tensor {
  checkChannels('batchNormInference', x.shape.at(-1) ?? 0, { gamma, beta, mean, variance });
  const composite = {
    name: 'batchNormInference',
    inputs: [x, gamma, beta, mean, variance],
    attributes: { epsilon },
  };
  return x.graph.composite(composite, () => {
    const scale = mul(gamma, rsqrt(add(variance, epsilon)));
    return add(mul(sub(x, mean), scale), beta);
  });
}

function checkChannels(op: string, channels: number, operands: Readonly<Record<string, Tensor>>): void {
  for (const [name, { shape }] of Object.entries(operands)) {
    if (shape.length !== 1 || shape[0] !== channels) {
      throw new ShapeError(`${op}: ${name} must be [${channels}] as the last axis of x, got [${shape}]`);
    }
  }
}

/**
 * x̂·γ + β with x̂ = (x − mean)·rstd. Its gradient is the one of the whole normalisation, in which mean and rstd depend
 * on x: dx = γ·rstd·(dy − Σdy/count − x̂·Σ(dy·x̂)/count), Ioffe & Szegedy's equations in closed form.
 */
const normalize: PointwiseFunction = {
  name: 'normalize',
  wgsl: ([x, mean, rstd, gamma, beta]) => `(${x} - ${mean}) * (${rstd} * ${gamma}) + ${beta}`,
  flops: 4,
  gradient({ gradient, args }) {
    const [x, mean, rstd, gamma] = args;
    if (!x || !mean || !rstd || !gamma) return [];
    const { plain: dbeta, scaled: dgamma } = normalizedSums({ dy: gradient, x, mean, rstd });
    const count = elementCount(x.shape) / elementCount(mean.shape);
    const dx = pointwise(normalizeSlope, [gradient, x, mean, rstd, gamma, dbeta, dgamma], [1 / count]);
    return [dx, undefined, undefined, dgamma, dbeta];
  },
};

const normalizeSlope: PointwiseFunction = {
  name: 'normalizeSlope',
  wgsl: ([dy, x, mean, rstd, gamma, dbeta, dgamma], [perValue]) =>
    `${rstd} * ${gamma} * (${dy} - T(${perValue}) * (${dbeta} + (${x} - ${mean}) * ${rstd} * ${dgamma}))`,
  flops: 9,
  gradient: () => {
    throw new ShapeError('batchNorm has no second derivative');
  },
};
