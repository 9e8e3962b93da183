import { ShapeError } from '../engine/errors.js';
import type { Tensor } from '../engine/tensor.js';
import { moments, normalizedSums } from './normalization.js';
import { pointwise } from './pointwise.js';
import type { PointwiseFunction } from './pointwise-table.js';

/**
 * Layer normalisation (Ba et al., arXiv 1607.06450) over the last axis: y = γ·(x − mean)/√(variance + ε) + β with the
 * moments of each row. Forward one read for the moments and one pointwise pass that fuses with what follows; backward
 * one read of (dy, x) by rows, one by columns for dγ and dβ, and one pointwise pass.
 *
 * @param x [..., c] @param gamma [c] @param beta [c]
 */
export function layerNorm(x: Tensor, gamma: Tensor, beta: Tensor, { epsilon }: { epsilon: number }): Tensor {
  const channels = x.shape.at(-1) ?? 0;
  for (const [name, { shape }] of [['gamma', gamma] as const, ['beta', beta] as const]) {
    if (shape.length !== 1 || shape[0] !== channels) {
      throw new ShapeError(`layerNorm: ${name} must be [${channels}] as the last axis of x, got [${shape}]`);
    }
  }
  const { mean, rstd } = moments(x, 'last', epsilon);
  return pointwise(normalizeRow, [x, mean, rstd, gamma, beta]);
}

/** x̂·γ + β; its gradient is the one of the whole normalisation, in which mean and rstd depend on x. */
const normalizeRow: PointwiseFunction = {
  name: 'normalizeRow',
  wgsl: ([x, mean, rstd, gamma, beta]) => `(${x} - ${mean}) * ${rstd} * ${gamma} + ${beta}`,
  flops: 4,
  gradient({ gradient: dy, args }) {
    const [x, mean, rstd, gamma] = args;
    if (!x || !mean || !rstd || !gamma) return [];
    const row = normalizedSums({ dy, x, mean, rstd, gamma }, 'last');
    const column = normalizedSums({ dy, x, mean, rstd }, 'leading');
    const share = 1 / (x.shape.at(-1) ?? 1);
    const dx = pointwise(normalizeRowSlope, [dy, x, mean, rstd, gamma, row.plain, row.scaled], [share]);
    return [dx, undefined, undefined, column.scaled, column.plain];
  },
};

/** dx = rstd·(g − Σg/c − x̂·Σ(g·x̂)/c) with g = γ·dy. */
const normalizeRowSlope: PointwiseFunction = {
  name: 'normalizeRowSlope',
  wgsl: ([dy, x, mean, rstd, gamma, plain, scaled], [share]) =>
    `${rstd} * (${gamma} * ${dy} - T(${share}) * (${plain} + (${x} - ${mean}) * ${rstd} * ${scaled}))`,
  flops: 9,
  gradient: () => {
    throw new ShapeError('layerNorm has no second derivative');
  },
};
