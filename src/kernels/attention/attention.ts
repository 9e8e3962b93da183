import { ShapeError } from '../../engine/errors.js';
import { share } from '../../engine/graph/rows.js';
import {
  at,
  type DeviceTraits,
  describe,
  elementCount,
  type Kernel,
  type KernelStep,
  type Op,
  type Operand,
  type Problem,
  type RowCut,
  type Scratch,
  sameShape,
  type Tensor,
  type TensorSpec,
  type Variant,
} from '../../engine/graph/tensor.js';
import { flatStep } from '../common/grid.js';
import { byFirstAxis } from '../common/rows.js';
import { storageType } from '../common/storage-type.js';
import { directStep } from './attention-direct.js';
import { type AttentionGeometry, placeRows } from './attention-geometry.js';
import { lanesSteps, type StagedRows, unfitForLanes } from './attention-lanes.js';
import { type AttentionPass, FORWARD, KEY_GRADIENTS, QUERY_GRADIENT } from './attention-pass.js';
import { rowsStep, unfitForRows } from './attention-rows.js';
import { BACKWARD_FIRST, type PassProblem, passProblem, type ResultPlace } from './attention-step.js';
import { tileStep, unfitForTile } from './attention-tile.js';

export interface AttentionOptions {
  readonly heads: number;
  /** What the products of queries and keys are multiplied with; default 1/√(width of a head). */
  readonly scale?: number;
  /** Query i sees keys 0 … i only; as many queries as keys. */
  readonly causal?: boolean;
  /** [n] u32: how many keys each image or text has; those beyond weigh nothing. Absent: all. */
  readonly lengths?: Tensor;
}

/**
 * softmax(scale · QKᵀ)·V for several heads (Vaswani et al. 2017, arXiv 1706.03762) in one kernel, whose memory grows with
 * queries + keys and not with their product; as PyTorch's `scaled_dot_product_attention`.
 * @param query [n, l, heads · e] @param key [n, s, heads · e] @param value [n, s, heads · e]; a head's values are neighbours
 * @returns [n, l, heads · e]
 * @throws ShapeError where the operands do not fit
 */
export function attention(query: Tensor, key: Tensor, value: Tensor, options: AttentionOptions): Tensor {
  return trace([query, key, value], query, key, options, false);
}

/**
 * The same where queries, keys and values are the thirds of one tensor, as one linear layer gives them.
 * @param packed [n, l, 3 · heads · e] @returns [n, l, heads · e]
 */
export function selfAttention(packed: Tensor, options: AttentionOptions): Tensor {
  return trace([packed], packed, packed, options, true);
}

function trace(
  rows: readonly Tensor[],
  query: Tensor,
  key: Tensor,
  { heads, scale, causal = false, lengths }: AttentionOptions,
  packed: boolean,
): Tensor {
  const [n, queries, channels] = query.shape as [number, number, number];
  const width = channels / heads / (packed ? 3 : 1);
  const geometry: AttentionGeometry = {
    n,
    queries,
    keys: key.shape[1] ?? 0,
    heads,
    width,
    scale: scale ?? 1 / Math.sqrt(width),
    causal,
    packed,
    masked: lengths !== undefined,
  };
  return at(query.graph.apply(attentionOp, [...rows, ...(lengths ? [lengths] : [])], geometry), 0);
}

/** (q, k, v, lengths?) or (qkv, lengths?) → y, and log Σ exp of each query's scores [n, heads, queries]. */
export const attentionOp: Op<AttentionGeometry> = {
  name: 'attention',
  infer(inputs, g) {
    const problem = complaint(inputs, g);
    if (problem !== undefined) {
      throw new ShapeError(`attention: ${problem}; got ${inputs.map(describe).join(', ')}`);
    }
    return [
      { shape: [g.n, g.queries, g.heads * g.width], dtype: 'f32' },
      { shape: [g.n, g.heads, g.queries], dtype: 'f32' },
    ];
  },
  vjp({ inputs, outputs, attributes }, [dy]) {
    if (!dy) return [];
    const slopes = dy.graph.apply(
      attentionSlopeOp,
      [dy, at(outputs, 0), at(outputs, 1), ...inputs],
      attributes,
    );
    return attributes.masked ? [...slopes, undefined] : slopes;
  },
  rows: byImage,
  halves: { inputs: [0, 1, 2], outputs: [0] },
  flops: ({ attributes }) => 4 * products(attributes),
  variants: variants([FORWARD], (problem, emit) => {
    const { heads, width } = problem.attributes;
    const result: ResultPlace = {
      operand: { kind: 'output', index: 0 },
      stride: heads * width,
      offset: 0,
      stored: at(problem.outputs, 0),
    };
    return emit(passProblem(problem, FORWARD, [result]));
  }),
};

/** (dy, y, lse, q, k, v, lengths?) → (dq, dk, dv), or (dy, y, lse, qkv, lengths?) → dqkv. */
export const attentionSlopeOp: Op<AttentionGeometry> = {
  name: 'attentionSlope',
  infer: (inputs, { packed }) =>
    inputs
      .slice(BACKWARD_FIRST, BACKWARD_FIRST + (packed ? 1 : 3))
      .map(({ shape }) => ({ shape, dtype: 'f32' })),
  rows: byImage,
  halves: { inputs: [0, 1, 3, 4, 5], outputs: [0, 1, 2] },
  // The scores again, dy·v, and three sums.
  flops: ({ attributes }) => 14 * products(attributes),
  variants: variants([QUERY_GRADIENT, KEY_GRADIENTS], (problem, emit, addScratch) => {
    const { n, heads, queries } = problem.attributes;
    const delta: Operand = {
      kind: 'scratch',
      index: addScratch({ kind: 'buffer', bytes: 4 * n * heads * queries }),
    };
    const result = (name: 'q' | 'k' | 'v'): ResultPlace => {
      const { input, stride, offset } = placeRows(problem, name, BACKWARD_FIRST);
      const index = input - BACKWARD_FIRST;
      return { operand: { kind: 'output', index }, stride, offset, stored: at(problem.outputs, index) };
    };
    return [
      deltaStep(problem, delta),
      ...emit(passProblem(problem, QUERY_GRADIENT, [result('q')], delta)),
      ...emit(passProblem(problem, KEY_GRADIENTS, [result('k'), result('v')], delta)),
    ];
  }),
};

function byImage(problem: Problem<AttentionGeometry>): RowCut<AttentionGeometry> | undefined {
  const { inputs, attributes } = problem;
  return byFirstAxis(
    problem,
    inputs.map(() => true),
    (range) => ({ ...attributes, n: share(attributes.n, range) }),
  );
}

type Step = KernelStep | ((traits: DeviceTraits) => KernelStep);

/** delta = dy·y of each head of each query. */
function deltaStep(
  { inputs, attributes: { n, heads, queries, width } }: Problem<AttentionGeometry>,
  delta: Operand,
): Step {
  const unit = width % 4 === 0 ? 4 : 1;
  const product =
    unit === 4 ? 'dot(vec4f(dy[begin + e]), vec4f(y[begin + e]))' : 'f32(dy[begin + e]) * f32(y[begin + e])';
  const operand = (name: string, index: number) =>
    ({
      name,
      operand: { kind: 'input', index },
      access: 'read',
      type: storageType(at(inputs, index), unit),
    }) as const;
  return (traits) =>
    ({
      ...flatStep(
        {
          count: n * queries * heads,
          bindings: [
            operand('dy', 0),
            operand('y', 1),
            { name: 'delta', operand: delta, access: 'read_write', type: 'f32' },
          ],
          body: `let begin = id * dims.width;
  var total = 0.0;
  for (var e = 0u; e < dims.width; e++) { total += ${product}; }
  let head = id % dims.heads;
  let row = id / dims.heads;
  delta[(row / dims.queries * dims.heads + head) * dims.queries + row % dims.queries] = total;`,
        },
        traits,
      ),
      dims: { width: width / unit, heads, queries },
    }) as KernelStep;
}

/** The same kernels serve both ops: each is a few passes. */
function variants(
  passes: readonly AttentionPass[],
  steps: (
    problem: Problem<AttentionGeometry>,
    emit: (pass: PassProblem) => Step[],
    addScratch: (need: Scratch) => number,
  ) => Step[],
): Variant<AttentionGeometry>[] {
  const unfit =
    (complain: (pass: PassProblem, traits: DeviceTraits) => string | undefined) =>
    (problem: Problem<AttentionGeometry>, traits: DeviceTraits): string | undefined =>
      passes.map((pass) => complain(passProblem(problem, pass, []), traits)).find((reason) => reason);
  const build =
    (emit: (pass: PassProblem, add: (need: Scratch) => number, staged: Map<number, StagedRows>) => Step[]) =>
    (problem: Problem<AttentionGeometry>, traits: DeviceTraits): Kernel => {
      const scratch: Scratch[] = [];
      const staged = new Map<number, StagedRows>();
      const add = (need: Scratch) => scratch.push(need) - 1;
      const list = steps(problem, (pass) => emit(pass, add, staged), add);
      return { scratch, steps: list.map((step) => (typeof step === 'function' ? step(traits) : step)) };
    };
  return [
    {
      name: 'lanes',
      unfit: unfit(unfitForLanes),
      rank: (_problem, { kind }) => (kind === 'software' ? 1 : 50),
      build: (problem, traits) =>
        build((pass, add, staged) => lanesSteps(pass, traits, add, staged))(problem, traits),
    },
    {
      name: 'rows',
      unfit: unfit(unfitForRows),
      rank: (_problem, { kind }) => (kind === 'software' ? 60 : 1),
      build: build((pass) => [(traits) => rowsStep(pass, traits)]),
    },
    {
      name: 'tile',
      unfit: unfit(unfitForTile),
      rank: (_problem, { kind }) => (kind === 'software' ? 50 : 2),
      build: build((pass) => [(traits) => tileStep(pass, traits)]),
    },
    {
      name: 'direct',
      unfit: ({ attributes: { width } }) =>
        width > 256 ? 'heads are too wide for private memory' : undefined,
      rank: () => 100,
      build: build((pass) => [(traits) => directStep(pass, traits)]),
    },
  ];
}

/** Multiplications of one product of all queries and keys. */
function products({ n, heads, queries, keys, width, causal }: AttentionGeometry): number {
  return (n * heads * queries * keys * width) / (causal ? 2 : 1);
}

function complaint(inputs: readonly TensorSpec[], g: AttentionGeometry): string | undefined {
  const { n, queries, keys, heads, width, packed, masked, causal } = g;
  if (!(Number.isInteger(heads) && heads > 0 && Number.isInteger(width) && width > 0)) {
    return `channels must be a multiple of ${packed ? '3 · ' : ''}${heads} heads`;
  }
  const row = heads * width;
  const expected = packed
    ? [[n, queries, 3 * row]]
    : [
        [n, queries, row],
        [n, keys, row],
        [n, keys, row],
      ];
  if (inputs.length !== expected.length + (masked ? 1 : 0)) return `needs ${expected.length} operands`;
  const wrong = expected.findIndex(
    (shape, i) => !sameShape(at(inputs, i).shape, shape) || at(inputs, i).dtype !== 'f32',
  );
  if (wrong >= 0) return `operand ${wrong} must be [${expected[wrong]?.join(', ')}] f32`;
  if (causal && queries !== keys) return 'a causal mask needs as many queries as keys';
  const last = inputs.at(-1);
  if (masked && (last?.dtype !== 'u32' || elementCount(last.shape) !== n))
    return `lengths must be [${n}] u32`;
  return undefined;
}
