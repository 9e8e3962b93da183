import { ShapeError } from '../engine/errors.js';
import { at, elementCount, type Op, type Shape, type Tensor, type TensorSpec } from '../engine/tensor.js';
import { literal } from './expression.js';
import { aliasT, type Fold, type FoldExtent, foldVariants, typeT } from './fold.js';
import { momentsState } from './moments.js';
import { pointwise } from './pointwise.js';
import { add, mul, type PointwiseFunction, rsqrt, sub } from './pointwise-table.js';

/**
 * Batch normalisation (Ioffe & Szegedy 2015) over all axes but the last, in the fewest passes over memory: forward one
 * read for the moments and one pointwise pass, into which the rewriter fuses what follows (ReLU, residual); backward
 * one read of (dy, x) for both sums and one pointwise pass.
 */
export interface BatchNormResult {
  /** Of x's shape. */
  readonly y: Tensor;
  /** [c]; neither has a gradient: the one of y holds what passes through them. */
  readonly mean: Tensor;
  /** [c], biased (÷ count). PyTorch's running average takes `variance · count / (count − 1)`. */
  readonly variance: Tensor;
  /** Values that each channel's moments are taken over. */
  readonly count: number;
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
  const count = elementCount(x.shape) / channels;
  if (count < 2) {
    throw new ShapeError(
      `batchNorm: [${x.shape}] has one value a channel; training needs a larger batch or image`,
    );
  }
  const moments = x.graph.apply(channelMomentsOp, [x], { epsilon });
  const mean = at(moments, 0);
  const y = pointwise(normalize, [x, mean, at(moments, 1), gamma, beta]);
  return { y, mean, variance: at(moments, 2), count };
}

/** The same with given moments, as in evaluation: pointwise, and differentiable in x, gamma and beta like any other. */
export function batchNormInference(
  x: Tensor,
  gamma: Tensor,
  beta: Tensor,
  { mean, variance, epsilon }: { mean: Tensor; variance: Tensor; epsilon: number },
): Tensor {
  checkChannels('batchNormInference', x.shape.at(-1) ?? 0, { gamma, beta, mean, variance });
  const scale = mul(gamma, rsqrt(add(variance, epsilon)));
  return add(mul(sub(x, mean), scale), beta);
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
    const sums = gradient.graph.apply(normalizedSumsOp, [gradient, x, mean, rstd], undefined);
    const [dbeta, dgamma] = [at(sums, 0), at(sums, 1)];
    const count = elementCount(x.shape) / elementCount(mean.shape);
    const dx = pointwise(normalizeSlope, [gradient, x, mean, rstd, gamma, dbeta, dgamma], [1 / count]);
    return [dx, undefined, undefined, dgamma, dbeta];
  },
};

const normalizeSlope: PointwiseFunction = {
  name: 'normalizeSlope',
  wgsl: ([dy, x, mean, rstd, gamma, dbeta, dgamma], [share]) =>
    `${rstd} * ${gamma} * (${dy} - T(${share}) * (${dbeta} + (${x} - ${mean}) * ${rstd} * ${dgamma}))`,
  flops: 9,
  gradient: () => {
    throw new ShapeError('batchNorm has no second derivative');
  },
};

/** x [..., c] → mean, 1/√(variance + ε) and biased variance, each [c], in one read of x. */
const channelMomentsOp: Op<{ readonly epsilon: number }> = {
  name: 'channelMoments',
  infer: ([x]) => Array.from({ length: 3 }, () => perChannel(x)),
  flops: ({ inputs: [x] }) => 6 * elementCount(x?.shape ?? []),
  variants: foldVariants(({ inputs: [x], attributes: { epsilon } }) => {
    const { width, extent } = columns(x?.shape ?? []);
    const type = typeT(width);
    const fold: Fold = {
      width,
      ...momentsState,
      source: aliasT(width),
      accumulate: 's = include(s, x[i]);',
      finish: `let biased = s.squares / s.count;
    mean[id] = s.mean; rstd[id] = inverseSqrt(biased + ${literal(epsilon)}); variance[id] = biased;`,
      inputs: [{ name: 'x', operand: { kind: 'input', index: 0 }, access: 'read', type }],
      outputs: ['mean', 'rstd', 'variance'].map((name, index) => ({
        name,
        operand: { kind: 'output', index },
        access: 'read_write',
        type,
      })),
    };
    return { fold, extent };
  }),
};

/** (dy, x, mean, rstd) → Σdy and Σdy·x̂, each [c], in one read of dy and x. */
const normalizedSumsOp: Op<undefined> = {
  name: 'normalizedSums',
  infer: ([, , mean]) => [perChannel(mean), perChannel(mean)],
  flops: ({ inputs: [x] }) => 5 * elementCount(x?.shape ?? []),
  variants: foldVariants(({ inputs: [x] }) => {
    const { width, extent } = columns(x?.shape ?? []);
    const type = typeT(width);
    const fold: Fold = {
      width,
      state: { vectors: ['plain', 'scaled'] },
      empty: 'State()',
      source: aliasT(width),
      merge:
        'fn merge(a: State, b: State) -> State { return State(a.plain + b.plain, a.scaled + b.scaled); }',
      prepare: 'let center = mean[column]; let scale = rstd[column];',
      accumulate: 'let g = dy[i]; s.plain += g; s.scaled += g * ((x[i] - center) * scale);',
      finish: 'plain[id] = s.plain; scaled[id] = s.scaled;',
      inputs: ['dy', 'x', 'mean', 'rstd'].map((name, index) => ({
        name,
        operand: { kind: 'input', index },
        access: 'read',
        type,
      })),
      outputs: ['plain', 'scaled'].map((name, index) => ({
        name,
        operand: { kind: 'output', index },
        access: 'read_write',
        type,
      })),
    };
    return { fold, extent };
  }),
};

function perChannel(x: TensorSpec | undefined): TensorSpec {
  return { shape: [x?.shape.at(-1) ?? 0], dtype: 'f32' };
}

/** [..., c] as rows and columns, the columns four at a time where they can be. */
function columns(shape: Shape): { width: 1 | 4; extent: FoldExtent } {
  const channels = shape.at(-1) ?? 1;
  const width = channels % 4 === 0 ? 4 : 1;
  return { width, extent: { outer: 1, size: elementCount(shape) / channels, inner: channels / width } };
}
