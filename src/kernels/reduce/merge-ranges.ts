import {
  at,
  elementCount,
  type Merge,
  type Op,
  type Shape,
  type TensorSpec,
} from '../../engine/graph/tensor.js';
import { flatStep } from '../common/grid.js';
import { literal } from '../pointwise/expression.js';
import { typeT } from './fold.js';

/**
 * What ranges of rows gave, merged to what all rows give; see `RowCut.merge`. Ranges are few, so a lane walks through all of
 * them, in order.
 */

/** For each output the sum, or the largest, of what the ranges gave. */
export function mergeEach(outputs: readonly TensorSpec[], kind: 'sum' | 'max' = 'sum'): Merge[] {
  return outputs.map(({ shape }, index) => ({
    op: rangesOp as Op,
    attributes: { shape, kind },
    reads: [index],
    writes: [index],
  }));
}

/**
 * Mean, 1/√(variance + ε) and unbiased variance of each channel, by the pairwise formula of Chan, Golub & LeVeque
 * ("Algorithms for computing the sample variance", 1983).
 * @param counts values of a channel in each range
 */
export function mergeMoments(channels: number, counts: readonly number[], epsilon: number): Merge[] {
  const attributes = { channels, counts, epsilon };
  return [{ op: momentsOp as Op, attributes, reads: [0, 2], writes: [0, 1, 2] }];
}

const rangesOp: Op<{ readonly shape: Shape; readonly kind: 'sum' | 'max' }> = {
  name: 'mergeRanges',
  infer: (_, { shape }) => [{ shape, dtype: 'f32' }],
  flops: ({ inputs: [ranges] }) => elementCount(ranges?.shape ?? []),
  variants: [
    {
      name: 'serial',
      unfit: () => undefined,
      rank: () => 1,
      build({ inputs: [ranges], attributes: { shape, kind } }, traits) {
        const [count, stride] = [at(ranges?.shape ?? [], 0), at(ranges?.shape ?? [], 1)];
        const elements = elementCount(shape);
        const width = elements % 4 === 0 ? 4 : 1;
        const next = `ranges[range * ${stride / width}u + id]`;
        const step = flatStep(
          {
            count: elements / width,
            bindings: [
              { name: 'ranges', operand: { kind: 'input', index: 0 }, access: 'read', type: typeT(width) },
              {
                name: 'merged',
                operand: { kind: 'output', index: 0 },
                access: 'read_write',
                type: typeT(width),
              },
            ],
            declarations: `alias T = ${width === 4 ? 'vec4f' : 'f32'};`,
            body: `var total = ranges[id];
  for (var range = 1u; range < ${count}u; range++) { total = ${kind === 'sum' ? `total + ${next}` : `max(total, ${next})`}; }
  merged[id] = total;`,
          },
          traits,
        );
        return { scratch: [], steps: [step] };
      },
    },
  ],
};

/** (means, unbiased variances) → mean, rstd, variance. */
const momentsOp: Op<{
  readonly channels: number;
  readonly counts: readonly number[];
  readonly epsilon: number;
}> = {
  name: 'mergeMoments',
  infer: (_, { channels }) => Array.from({ length: 3 }, () => ({ shape: [channels], dtype: 'f32' })),
  flops: ({ attributes: { channels, counts } }) => 8 * channels * counts.length,
  variants: [
    {
      name: 'serial',
      unfit: () => undefined,
      rank: () => 1,
      build({ inputs: [means], attributes: { channels, counts, epsilon } }, traits) {
        const stride = at(means?.shape ?? [], 1);
        const total = counts.reduce((sum, count) => sum + count, 0);
        const squares = (range: number) =>
          `variances[id + ${range * stride}u] * ${literal(Math.max(0, at(counts, range) - 1))}`;
        let before = at(counts, 0);
        const steps = counts.slice(1).map((count, i) => {
          const together = before + count;
          const code = `{ let apart = means[id + ${(i + 1) * stride}u] - center;
  center += apart * ${literal(count / together)};
  squares += ${squares(i + 1)} + apart * apart * ${literal((before * count) / together)}; }`;
          before = together;
          return code;
        });
        const operand = (name: string, kind: 'input' | 'output', index: number) =>
          ({
            name,
            operand: { kind, index },
            access: kind === 'input' ? 'read' : 'read_write',
            type: 'f32',
          }) as const;
        const step = flatStep(
          {
            count: channels,
            bindings: [
              operand('means', 'input', 0),
              operand('variances', 'input', 1),
              operand('mean', 'output', 0),
              operand('rstd', 'output', 1),
              operand('variance', 'output', 2),
            ],
            body: `var center = means[id];
  var squares = ${squares(0)};
  ${steps.join('\n  ')}
  mean[id] = center;
  rstd[id] = inverseSqrt(squares / ${literal(total)} + ${literal(epsilon)});
  variance[id] = squares / ${literal(Math.max(1, total - 1))};`,
          },
          traits,
        );
        return { scratch: [], steps: [step] };
      },
    },
  ],
};
