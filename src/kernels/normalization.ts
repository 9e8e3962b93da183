import { at, elementCount, type Op, type Shape, type Tensor, type TensorSpec } from '../engine/tensor.js';
import { literal } from './expression.js';
import { aliasT, type Fold, foldExtent, foldVariants, typeT } from './fold.js';
import { storageTypeOf } from './storage-type.js';

/**
 * What batch norm and layer norm share: the moments of x in one read, and the two sums of the backward pass in one
 * read of (dy, x). `leading` folds all axes but the last and gives [c]; `last` folds the last and gives [..., 1].
 */
export type FoldedAxes = 'leading' | 'last';

export interface Moments {
  readonly mean: Tensor;
  /** 1/√(biased variance + ε) */
  readonly rstd: Tensor;
  /** Unbiased (÷ count − 1; 0 for a single value): what running averages take. */
  readonly variance: Tensor;
}

export function moments(x: Tensor, axes: FoldedAxes, epsilon: number): Moments {
  const outputs = x.graph.apply(momentsOp, [x], { axes, epsilon });
  return { mean: at(outputs, 0), rstd: at(outputs, 1), variance: at(outputs, 2) };
}

/**
 * Σ g and Σ g·x̂ over `axes`, where x̂ = (x − mean)·rstd and g is dy, or dy·gamma where a gamma [c] is given.
 * @param mean [c] or [..., 1], as is rstd
 */
export function normalizedSums(
  operands: { dy: Tensor; x: Tensor; mean: Tensor; rstd: Tensor; gamma?: Tensor },
  axes: FoldedAxes,
): { plain: Tensor; scaled: Tensor } {
  const { dy, x, mean, rstd, gamma } = operands;
  const inputs = [dy, x, mean, rstd, ...(gamma ? [gamma] : [])];
  const outputs = dy.graph.apply(normalizedSumsOp, inputs, { axes });
  return { plain: at(outputs, 0), scaled: at(outputs, 1) };
}

/**
 * To full precision however far the mean is from zero: a lane sums distances from its first value and their squares
 * (a shift by any of the values will do: Chan, Golub & LeVeque, "Algorithms for computing the sample variance", 1983),
 * and chunks are merged by the same authors' pairwise formula.
 */
const momentsOp: Op<{ readonly axes: FoldedAxes; readonly epsilon: number }> = {
  name: 'moments',
  infer: ([x], { axes }) => Array.from({ length: 3 }, () => folded(x, axes)),
  halves: { inputs: 'all', outputs: [] },
  flops: ({ inputs: [x] }) => 4 * elementCount(x?.shape ?? []),
  variants: foldVariants(({ inputs, attributes: { axes, epsilon } }) => {
    const shape = inputs[0]?.shape ?? [];
    const { width, extent } = layout(shape, axes);
    const across = axes === 'last' && width === 4;
    const channels = shape.at(-1) ?? 1;
    const count = axes === 'last' ? channels : elementCount(shape) / channels;
    const fold: Fold = {
      width,
      state: { vectors: ['mean', 'squares'], scalars: ['count'] },
      empty: 'State()',
      source: aliasT(width),
      merge: `fn merge(a: State, b: State) -> State {
  let count = max(a.count + b.count, 1.0);
  let delta = b.mean - a.mean;
  return State(
    a.mean + delta * (b.count / count),
    a.squares + b.squares + delta * delta * (a.count * b.count / count),
    a.count + b.count,
  );
}`,
      prepare: 'let shift = T(x[origin]); var total = T(); var squares = T();',
      accumulate: 'let apart = T(x[i]) - shift; total += apart; squares += apart * apart;',
      settle: `let center = total / terms;
    s = State(shift + center, max(squares - total * center, T()), terms);`,
      finish: `${
        across
          ? `let center = dot(s.mean, T(0.25));
    let apart = s.mean - center;
    let biased = (dot(s.squares, T(0.25)) + s.count * dot(apart, apart) * 0.25) / s.count;`
          : 'let center = s.mean; let biased = s.squares / s.count;'
      }
    mean[id] = center; rstd[id] = inverseSqrt(biased + ${literal(epsilon)}); variance[id] = biased * ${literal(count / Math.max(1, count - 1))};`,
      inputs: [
        {
          name: 'x',
          operand: { kind: 'input', index: 0 },
          access: 'read',
          type: storageTypeOf(inputs, 0, width),
        },
      ],
      outputs: results(['mean', 'rstd', 'variance'], across ? 1 : width),
    };
    return { fold, extent };
  }),
};

const normalizedSumsOp: Op<{ readonly axes: FoldedAxes }> = {
  name: 'normalizedSums',
  infer: ([, x], { axes }) => [folded(x, axes), folded(x, axes)],
  // The images, not the statistics and gamma.
  halves: { inputs: [0, 1], outputs: [] },
  flops: ({ inputs: [x] }) => 6 * elementCount(x?.shape ?? []),
  variants: foldVariants(({ inputs, attributes: { axes } }) => {
    const [, x, mean, , gamma] = inputs;
    const shape = x?.shape ?? [];
    const { width, extent } = layout(shape, axes);
    const across = axes === 'last' && width === 4;
    const perChannel = mean?.shape.length === 1 && shape.length > 1;
    // The channel and the row of an element, in terms of the fold: one of them is what a lane stays on.
    const [channel, row] = axes === 'leading' ? ['column', 'k'] : ['k', 'block'];
    const statistic = perChannel ? channel : row;
    const type = typeT(width);
    const images = [0, 1].map((index) => storageTypeOf(inputs, index, width));
    const types = [...images, ...(perChannel ? [type, type] : ['f32', 'f32']), type];
    const fold: Fold = {
      width,
      state: { vectors: ['plain', 'scaled'] },
      empty: 'State()',
      source: aliasT(width),
      merge:
        'fn merge(a: State, b: State) -> State { return State(a.plain + b.plain, a.scaled + b.scaled); }',
      ...(statistic === 'k'
        ? {}
        : { prepare: `let center = mean[${statistic}]; let scale = rstd[${statistic}];` }),
      accumulate: `${statistic === 'k' ? 'let center = mean[k]; let scale = rstd[k];' : ''}
      let g = T(dy[i])${gamma ? ` * gamma[${channel}]` : ''};
      s.plain += g;
      s.scaled += g * ((T(x[i]) - center) * scale);`,
      finish: across
        ? 'plain[id] = dot(s.plain, T(1.0)); scaled[id] = dot(s.scaled, T(1.0));'
        : 'plain[id] = s.plain; scaled[id] = s.scaled;',
      inputs: ['dy', 'x', 'mean', 'rstd', 'gamma'].slice(0, inputs.length).map((name, index) => ({
        name,
        operand: { kind: 'input', index },
        access: 'read',
        type: at(types, index),
      })),
      outputs: results(['plain', 'scaled'], across ? 1 : width),
    };
    return { fold, extent };
  }),
};

function folded(x: TensorSpec | undefined, axes: FoldedAxes): TensorSpec {
  const shape = x?.shape ?? [];
  return { shape: axes === 'leading' ? [shape.at(-1) ?? 0] : [...shape.slice(0, -1), 1], dtype: 'f32' };
}

function layout(shape: Shape, axes: FoldedAxes) {
  const channels = shape.at(-1) ?? 1;
  const rows = elementCount(shape) / channels;
  return axes === 'leading'
    ? // A single channel would be read in fours along its rows, which are not told apart there.
      foldExtent({ outer: 1, size: rows, inner: channels }, channels > 1)
    : foldExtent({ outer: rows, size: channels, inner: 1 });
}

function results(names: readonly string[], width: 1 | 4): Fold['outputs'] {
  return names.map((name, index) => ({
    name,
    operand: { kind: 'output', index },
    access: 'read_write',
    type: typeT(width),
  }));
}
