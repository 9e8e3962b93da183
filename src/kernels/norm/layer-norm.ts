import { ShapeError } from '../../engine/errors.js';
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
import { storageType } from '../common/storage-type.js';
import { literal } from '../pointwise/expression.js';
import { GRADIENT_SUMS, MOMENTS, normalizedSums } from '../reduce/channel-sums.js';
import { aliasT, type Fold, foldExtent, foldVariants, typeT } from '../reduce/fold.js';
import type { FoldExtent } from '../reduce/fold-division.js';

/**
 * Layer normalisation (Ba et al., arXiv 1607.06450) over the last axis: y = γ·(x − mean)/√(variance + ε) + β with the
 * moments of each row. A row is short enough to lie in a cache between its moments and its results, so forward is one
 * read and one write of memory; backward one read of (dy, x) and one write by rows, and one read by columns for dγ and dβ.
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
  return at(x.graph.apply(layerNormOp, [x, gamma, beta], { epsilon }), 0);
}

/** (x, gamma, beta) → y, and the mean and 1/√(variance + ε) of each row, [..., 1]. */
export const layerNormOp: Op<{ readonly epsilon: number }> = {
  name: 'layerNorm',
  infer: ([x]) => [{ shape: x?.shape ?? [], dtype: 'f32' }, perRow(x), perRow(x)],
  rows: (problem) => cutRows(problem, [true, false, false]),
  halves: { inputs: [0], outputs: [0] },
  flops: ({ inputs: [x] }) => 8 * elementCount(x?.shape ?? []),
  vjp({ inputs, outputs }, [dy]) {
    const [x, gamma] = [at(inputs, 0), at(inputs, 1)];
    const [mean, rstd] = [at(outputs, 1), at(outputs, 2)];
    if (!dy) return [];
    const dx = at(dy.graph.apply(layerNormSlopeOp, [dy, x, mean, rstd, gamma], {}), 0);
    const { plain, scaled } = normalizedSums({ dy, x, mean, rstd });
    return [dx, scaled, plain];
  },
  variants: foldVariants(({ inputs, outputs, attributes: { epsilon } }) => {
    const { width, extent } = rowsOf(at(inputs, 0).shape);
    const fold: Fold = {
      ...MOMENTS,
      width,
      source: aliasT(width),
      finish: 'mean[id] = center; rstd[id] = scale;',
      spread: {
        conclude:
          width === 4
            ? `let center = dot(s.mean, T(0.25));
  let apart = s.mean - center;
  let biased = (dot(s.squares, T(0.25)) + s.count * dot(apart, apart) * 0.25) / s.count;
  let scale = inverseSqrt(biased + ${literal(epsilon)});`
            : `let center = s.mean; let scale = inverseSqrt(s.squares / s.count + ${literal(epsilon)});`,
        each: `y[i] = ${storageType(at(outputs, 0), width)}((T(x[i]) - center) * scale * gamma[k] + beta[k]);`,
      },
      inputs: [
        read('x', 0, storageType(at(inputs, 0), width)),
        read('gamma', 1, typeT(width)),
        read('beta', 2, typeT(width)),
      ],
      outputs: [
        written('y', 0, storageType(at(outputs, 0), width)),
        written('mean', 1, 'f32'),
        written('rstd', 2, 'f32'),
      ],
    };
    return { fold, extent };
  }),
};

/** (dy, x, mean, rstd, gamma) → dx = rstd·(g − Σg/c − x̂·Σ(g·x̂)/c) with g = γ·dy and x̂ = (x − mean)·rstd. */
const layerNormSlopeOp: Op<Record<string, never>> = {
  name: 'layerNormSlope',
  infer: ([, x]) => [{ shape: x?.shape ?? [], dtype: 'f32' }],
  rows: (problem) => cutRows(problem, [true, true, true, true, false]),
  halves: { inputs: [0, 1], outputs: [0] },
  flops: ({ inputs: [, x] }) => 15 * elementCount(x?.shape ?? []),
  variants: foldVariants(({ inputs, outputs }) => {
    const { shape } = at(inputs, 1);
    const { width, extent } = rowsOf(shape);
    const total = (name: string) => (width === 4 ? `dot(s.${name}, T(1.0))` : `s.${name}`);
    const perChannel = literal(1 / at(shape, -1));
    const normal = '(T(x[i]) - center) * scale';
    const fold: Fold = {
      ...GRADIENT_SUMS,
      width,
      source: aliasT(width),
      prepare: 'let center = mean[outer]; let scale = rstd[outer];',
      accumulate: `let g = T(dy[i]) * gamma[k]; s.plain += g; s.scaled += g * (${normal});`,
      finish: '',
      spread: {
        conclude: `let plain = ${total('plain')} * ${perChannel}; let scaled = ${total('scaled')} * ${perChannel};
  let within = min(outer, ${extent.outer - 1}u); let center = mean[within]; let scale = rstd[within];`,
        each: `dx[i] = ${storageType(at(outputs, 0), width)}(scale * (T(dy[i]) * gamma[k] - plain - ${normal} * scaled));`,
      },
      inputs: [
        read('dy', 0, storageType(at(inputs, 0), width)),
        read('x', 1, storageType(at(inputs, 1), width)),
        read('mean', 2, 'f32'),
        read('rstd', 3, 'f32'),
        read('gamma', 4, typeT(width)),
      ],
      outputs: [written('dx', 0, storageType(at(outputs, 0), width))],
    };
    return { fold, extent };
  }),
};

function perRow(x: TensorSpec | undefined): TensorSpec {
  return { shape: [...(x?.shape ?? []).slice(0, -1), 1], dtype: 'f32' };
}

/** A single axis is a row, and no row is cut. */
function cutRows<A>(problem: Problem<A>, inputs: readonly boolean[]): RowCut<A> | undefined {
  return at(problem.inputs, 0).shape.length > 1 ? byFirstAxis(problem, inputs) : undefined;
}

function rowsOf(shape: Shape): { width: 1 | 4; extent: FoldExtent } {
  const channels = at(shape, -1);
  return foldExtent({ outer: elementCount(shape) / channels, size: channels, inner: 1 });
}

function read(name: string, index: number, type: string): Fold['inputs'][number] {
  return { name, operand: { kind: 'input', index }, access: 'read', type };
}

function written(name: string, index: number, type: string): Fold['outputs'][number] {
  return { name, operand: { kind: 'output', index }, access: 'read_write', type };
}
