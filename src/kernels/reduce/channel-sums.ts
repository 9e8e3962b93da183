import { share } from '../../engine/graph/rows.js';
import {
  at,
  elementCount,
  type Op,
  type Problem,
  type RowCut,
  type Shape,
  type Tensor,
  type TensorSpec,
} from '../../engine/graph/tensor.js';
import { byFirstAxis } from '../common/rows.js';
import { storageTypeOf } from '../common/storage-type.js';
import { literal } from '../pointwise/expression.js';
import { aliasT, type Fold, foldExtent, foldVariants, typeT } from './fold.js';
import { mergeEach, mergeMoments } from './merge-ranges.js';

/** Sums over all axes but the last, for batch norm and layer norm: moments in one read of x, gradient sums in one of (dy, x). */

export interface Moments {
  readonly mean: Tensor;
  /** 1/√(biased variance + ε) */
  readonly rstd: Tensor;
  /** Unbiased (÷ count − 1; 0 for a single value), for running averages. */
  readonly variance: Tensor;
}

/** @param x [..., c] @returns [c] each */
export function moments(x: Tensor, epsilon: number): Moments {
  const outputs = x.graph.apply(momentsOp, [x], { epsilon });
  return { mean: at(outputs, 0), rstd: at(outputs, 1), variance: at(outputs, 2) };
}

/**
 * Σ dy and Σ dy·x̂ of each channel, where x̂ = (x − mean)·rstd.
 * @param mean [c], or [..., 1] for one a row, as is rstd @returns [c] each
 */
export function normalizedSums(operands: { dy: Tensor; x: Tensor; mean: Tensor; rstd: Tensor }): {
  plain: Tensor;
  scaled: Tensor;
} {
  const { dy, x, mean, rstd } = operands;
  const outputs = dy.graph.apply(normalizedSumsOp, [dy, x, mean, rstd], {});
  return { plain: at(outputs, 0), scaled: at(outputs, 1) };
}

/**
 * A fold's part that finds mean, sum of squared distances from it and count, to full precision however far the mean is
 * from zero: a lane sums distances from its first value and their squares (a shift by any of the values will do: Chan,
 * Golub & LeVeque, "Algorithms for computing the sample variance", 1983), and chunks are merged by the same authors'
 * pairwise formula.
 */
export const MOMENTS: Pick<Fold, 'state' | 'empty' | 'merge' | 'prepare' | 'accumulate' | 'settle'> = {
  state: { vectors: ['mean', 'squares'], scalars: ['count'] },
  empty: 'State()',
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
};

/** A fold's part that adds up Σ g and Σ g·x̂. */
export const GRADIENT_SUMS: Pick<Fold, 'state' | 'empty' | 'merge'> = {
  state: { vectors: ['plain', 'scaled'] },
  empty: 'State()',
  merge: 'fn merge(a: State, b: State) -> State { return State(a.plain + b.plain, a.scaled + b.scaled); }',
};

const momentsOp: Op<{ readonly epsilon: number }> = {
  name: 'moments',
  infer: ([x]) => Array.from({ length: 3 }, () => perChannel(x)),
  rows(problem) {
    const cut = rowsOf(problem, [true]);
    const { shape } = at(problem.inputs, 0);
    const channels = at(shape, -1);
    const count = elementCount(shape) / channels;
    const { epsilon } = problem.attributes;
    return (
      cut && {
        ...cut,
        merge: (ranges) =>
          mergeMoments(
            channels,
            ranges.map((range) => share(count, range)),
            epsilon,
          ),
      }
    );
  },
  halves: { inputs: 'all', outputs: [] },
  flops: ({ inputs: [x] }) => 4 * elementCount(x?.shape ?? []),
  variants: foldVariants(({ inputs, attributes: { epsilon } }) => {
    const { shape } = at(inputs, 0);
    const { width, extent } = channelsOf(shape);
    const count = elementCount(shape) / at(shape, -1);
    const fold: Fold = {
      ...MOMENTS,
      width,
      source: aliasT(width),
      finish: `let biased = s.squares / s.count;
    mean[id] = s.mean; rstd[id] = inverseSqrt(biased + ${literal(epsilon)}); variance[id] = biased * ${literal(count / Math.max(1, count - 1))};`,
      inputs: [
        {
          name: 'x',
          operand: { kind: 'input', index: 0 },
          access: 'read',
          type: storageTypeOf(inputs, 0, width),
        },
      ],
      outputs: results(['mean', 'rstd', 'variance'], width),
    };
    return { fold, extent };
  }),
};

const normalizedSumsOp: Op<Record<string, never>> = {
  name: 'normalizedSums',
  infer: ([, x]) => [perChannel(x), perChannel(x)],
  rows(problem) {
    const ofRows = !isOfChannels(problem);
    const cut = rowsOf(problem, [true, true, ofRows, ofRows]);
    return cut && { ...cut, merge: () => mergeEach(problem.outputs) };
  },
  // The images, not the statistics.
  halves: { inputs: [0, 1], outputs: [] },
  flops: ({ inputs: [x] }) => 6 * elementCount(x?.shape ?? []),
  variants: foldVariants(({ inputs }) => {
    const { shape } = at(inputs, 1);
    const { width, extent } = channelsOf(shape);
    // A lane stays on its channels, so their statistics are loaded once; those of rows change with every element.
    const ofChannels = isOfChannels({ inputs });
    const type = ofChannels ? typeT(width) : 'f32';
    const types = [storageTypeOf(inputs, 0, width), storageTypeOf(inputs, 1, width), type, type];
    const statistics = (place: string) => `let center = mean[${place}]; let scale = rstd[${place}];`;
    const fold: Fold = {
      ...GRADIENT_SUMS,
      width,
      source: aliasT(width),
      ...(ofChannels && { prepare: statistics('column') }),
      accumulate: `${ofChannels ? '' : statistics('k')}
      let g = T(dy[i]);
      s.plain += g;
      s.scaled += g * ((T(x[i]) - center) * scale);`,
      finish: 'plain[id] = s.plain; scaled[id] = s.scaled;',
      inputs: ['dy', 'x', 'mean', 'rstd'].map((name, index) => ({
        name,
        operand: { kind: 'input', index },
        access: 'read',
        type: at(types, index),
      })),
      outputs: results(['plain', 'scaled'], width),
    };
    return { fold, extent };
  }),
};

/** By the first axis, unless that is the channels. */
function rowsOf<A>(problem: Problem<A>, inputs: readonly boolean[]): RowCut<A> | undefined {
  return at(problem.inputs, 0).shape.length > 1 ? byFirstAxis(problem, inputs) : undefined;
}

/** Whether the statistics of `normalizedSums` are those of channels, and not of rows. */
function isOfChannels({ inputs }: Pick<Problem, 'inputs'>): boolean {
  return at(inputs, 2).shape.length === 1 && at(inputs, 1).shape.length > 1;
}

function perChannel(x: TensorSpec | undefined): TensorSpec {
  return { shape: [x?.shape.at(-1) ?? 0], dtype: 'f32' };
}

function channelsOf(shape: Shape) {
  const channels = at(shape, -1);
  const extent = { outer: 1, size: elementCount(shape) / channels, inner: channels };
  // A single channel would be read in fours along its rows, which are not told apart there.
  return foldExtent(extent, channels > 1);
}

function results(names: readonly string[], width: 1 | 4): Fold['outputs'] {
  return names.map((name, index) => ({
    name,
    operand: { kind: 'output', index },
    access: 'read_write',
    type: typeT(width),
  }));
}
