import { ShapeError } from '../../engine/errors.js';
import {
  at,
  describe,
  elementCount,
  type Node,
  type Op,
  type Shape,
  sameShape,
  type Tensor,
  type TensorSpec,
} from '../../engine/graph/tensor.js';
import { mul } from '../pointwise/pointwise-table.js';
import type { FusedLossAttributes } from './loss-attributes.js';
import { LARGEST_SINGLE, lossKernel, MOST_SINGLE_ROWS } from './loss-kernel.js';

/** Entries of a row that a workgroup has too many lanes for. */
const SHORT_ROW = 128;

/**
 * Element-wise multi-label losses, fused: one pass over logits and targets [N, C] leaves the value and the gradient. No
 * tensor of probabilities exists, and the backward pass computes nothing. The loss itself is WGSL, passed in as an
 * attribute (see src/losses/).
 */
const fusedLossOp: Op<FusedLossAttributes> = {
  name: 'fusedLoss',

  infer(inputs, attributes) {
    const [logits, targets, ...rest] = inputs;
    const { name, constants, weighted, scheduled } = attributes;
    const fail = (what: string, spec: TensorSpec | undefined): never => {
      throw new ShapeError(`${name}: ${what}, got ${spec ? describe(spec) : 'nothing'}`);
    };
    if (logits?.shape.length !== 2 || logits.dtype !== 'f32') {
      return fail('logits must be [N, C] f32', logits);
    }
    if (!targets || !sameShape(targets.shape, logits.shape) || targets.dtype !== 'f32') {
      return fail(`targets must be ${describe(logits)} as the logits`, targets);
    }
    const [n, c] = [at(logits.shape, 0), at(logits.shape, 1)];
    const expected: [what: string, shape: Shape][] = [
      ...(constants > 0 ? [['class constants', [constants, c]] as [string, Shape]] : []),
      ...(weighted ? [['sample weights', [n]] as [string, Shape]] : []),
      ...(scheduled > 0 ? [['scheduled numbers', [scheduled]] as [string, Shape]] : []),
    ];
    for (const [i, [what, shape]] of expected.entries()) {
      const spec = rest[i];
      if (!spec || !sameShape(spec.shape, shape) || spec.dtype !== 'f32') {
        return fail(`${what} must be [${shape}] f32`, spec);
      }
    }
    return [
      { shape: [1], dtype: 'f32' },
      { shape: logits.shape, dtype: 'f32' },
    ];
  },

  vjp: gradientAtHand,

  flops: ({ inputs: [logits], attributes }) => attributes.flops * elementCount(logits?.shape ?? []),

  variants: [
    {
      // All in one workgroup and one dispatch: a second one would take longer than the few entries.
      name: 'single',
      unfit: ({ inputs: [logits], attributes: { row } }) => {
        if (elementCount(logits?.shape ?? []) > LARGEST_SINGLE) return `more than ${LARGEST_SINGLE} entries`;
        return row && (logits?.shape[0] ?? 0) > MOST_SINGLE_ROWS
          ? `more than ${MOST_SINGLE_ROWS} rows with sums of their own`
          : undefined;
      },
      rank: () => 0,
      build: (problem, traits) => lossKernel(problem, traits, 'single'),
    },
    {
      // A lane walks neighbouring elements: no barrier, which a software adapter pays dearly for.
      name: 'serial',
      unfit: () => undefined,
      rank: (_problem, { kind }) => (kind === 'software' ? 1 : 2),
      build: (problem, traits) => lossKernel(problem, traits, 'serial'),
    },
    {
      // Neighbouring lanes read neighbouring elements, and a workgroup adds up its lanes.
      name: 'tree',
      unfit: () => undefined,
      // With a row at a time, most lanes are idle where rows are short.
      rank: ({ inputs: [logits], attributes: { row } }, { kind }) =>
        kind === 'software' || (row && (logits?.shape[1] ?? 0) < SHORT_ROW) ? 3 : 1,
      build: (problem, traits) => lossKernel(problem, traits, 'tree'),
    },
  ],
};

/**
 * @param logits [N, C] f32. An infinite or NaN logit makes value and gradient NaN, so that it is seen
 * @param targets [N, C] f32 in [0, 1]; NaN is unknown: value and gradient are exactly 0
 * @param operands constants: [k, C] f32, where the loss has class constants; weights: [N] f32, not negative; scheduled:
 *   [s] f32, where the loss has scheduled numbers
 * @returns [1], differentiable with respect to the logits
 */
export function fusedLoss(
  loss: FusedLossOptions,
  logits: Tensor,
  targets: Tensor,
  operands: FusedLossOperands = {},
): Tensor {
  const { constants, weights, scheduled } = operands;
  const outputs = logits.graph.apply(
    fusedLossOp,
    [logits, targets, ...[constants, weights, scheduled].filter((each) => each !== undefined)],
    {
      row: false,
      ...loss,
      constants: constants?.shape[0] ?? 0,
      weighted: weights !== undefined,
      scheduled: scheduled?.shape[0] ?? 0,
    },
  );
  return at(outputs, 0);
}

/** `row` is false where left out. */
export type FusedLossOptions = Omit<FusedLossAttributes, 'constants' | 'weighted' | 'scheduled' | 'row'> &
  Partial<Pick<FusedLossAttributes, 'row'>>;

export interface FusedLossOperands {
  readonly constants?: Tensor | undefined;
  readonly weights?: Tensor | undefined;
  readonly scheduled?: Tensor | undefined;
}

/** `vjp` of a loss whose second output is its gradient: at most a factor is missing, by which the loss was scaled. */
export function gradientAtHand(
  { outputs }: Pick<Node, 'outputs'>,
  [scale]: readonly (Tensor | undefined)[],
): Tensor[] {
  if (!scale) return [];
  const gradient = at(outputs, 1);
  return [isOne(scale) ? gradient : mul(gradient, scale)];
}

/** Whether a tensor is the constant 1, as the gradient of a loss by itself is. */
function isOne({ source }: Tensor): boolean {
  return source.kind === 'constant' && source.values.every((value) => value === 1);
}
