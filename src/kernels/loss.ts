import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { ShapeError } from '../engine/errors.js';
import {
  at,
  type Binding,
  type DeviceTraits,
  describe,
  elementCount,
  type Kernel,
  type KernelStep,
  type Op,
  type Operand,
  type Problem,
  sameShape,
  type Tensor,
  type TensorSpec,
} from '../engine/tensor.js';
import { literal } from './expression.js';
import { flatGrid, flatStep } from './grid.js';
import { mul } from './pointwise-table.js';

/**
 * Element-wise multi-label losses, fused: one pass over logits and targets [N, C] gives the gradient and the sums that
 * the loss is made of. No tensor of probabilities exists, and the backward pass is one multiplication.
 *
 * Which loss it is, is WGSL passed in as an attribute (see src/losses/). Sums are ordered: lanes sum their own elements,
 * then partial sums are added 256 at a time, level by level; so the bits are the same at every run, and rounding grows
 * with the number of levels only.
 */
export interface FusedLossAttributes {
  /** For labels: `loss:NAME`. */
  readonly name: string;
  /**
   * WGSL that defines `fn loss(x: f32, y: f32, c0: f32, …) -> vec2f`: value and d/dx at logit `x` and target `y` in
   * [0, 1], with one more argument for each row of class constants. It must be finite for every finite `x`.
   */
  readonly code: string;
  /** Rows of class constants, 0 where there are none. */
  readonly constants: number;
  /** Whether samples have weights. */
  readonly weighted: boolean;
  /** Label smoothing ε: y becomes y·(1−ε) + ε/2. */
  readonly smoothing: number;
  /** Floating-point operations of one element. */
  readonly flops: number;
}

const WORKGROUP = 64;
/** Partial sums that one lane adds up. */
const FAN_IN = 256;

const fusedLossOp: Op<FusedLossAttributes> = {
  name: 'fusedLoss',

  infer(inputs, attributes) {
    const [logits, targets, ...rest] = inputs;
    const { name, constants, weighted } = attributes;
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
    const expected = [...(constants > 0 ? [[constants, c]] : []), ...(weighted ? [[n]] : [])];
    for (const [i, shape] of expected.entries()) {
      const spec = rest[i];
      if (!spec || !sameShape(spec.shape, shape) || spec.dtype !== 'f32') {
        return fail(
          `${shape.length === 2 ? 'class constants' : 'sample weights'} must be [${shape}] f32`,
          spec,
        );
      }
    }
    return [
      { shape: logits.shape, dtype: 'f32' },
      { shape: [1], dtype: 'f32' },
      { shape: [1], dtype: 'f32' },
    ];
  },

  // The gradient is there already: only what the scalar was scaled by afterwards is missing.
  vjp(node, [, totalGradient]) {
    return totalGradient ? [mul(at(node.outputs, 0), totalGradient)] : [];
  },

  flops: ({ inputs: [logits], attributes }) => attributes.flops * elementCount(logits?.shape ?? []),

  variants: [
    {
      // A lane walks neighbouring elements: no barrier, which a software adapter pays dearly for.
      name: 'serial',
      unfit: () => undefined,
      rank: (_problem, { kind }) => (kind === 'software' ? 1 : 2),
      build: (problem, traits) => buildKernel(problem, traits, 'serial'),
    },
    {
      // Neighbouring lanes read neighbouring elements, and a workgroup adds up its lanes.
      name: 'tree',
      unfit: () => undefined,
      rank: (_problem, { kind }) => (kind === 'software' ? 2 : 1),
      build: (problem, traits) => buildKernel(problem, traits, 'tree'),
    },
  ],
};

export interface FusedLoss {
  /** Σ over known entries of sample weight · value, [1]; differentiable with respect to the logits. */
  readonly total: Tensor;
  /** Σ over known entries of sample weight, [1]: a constant to the gradient. */
  readonly known: Tensor;
}

/**
 * @param logits [N, C] f32. An infinite or NaN logit makes value and gradient NaN, so that it is seen
 * @param targets [N, C] f32 in [0, 1]; NaN is unknown: value and gradient are exactly 0
 * @param operands constants: [k, C] f32, where the loss has class constants; weights: [N] f32
 */
export function fusedLoss(
  loss: Omit<FusedLossAttributes, 'constants' | 'weighted'>,
  logits: Tensor,
  targets: Tensor,
  operands: { readonly constants?: Tensor | undefined; readonly weights?: Tensor | undefined } = {},
): FusedLoss {
  const { constants, weights } = operands;
  const [, total, known] = logits.graph.apply(
    fusedLossOp,
    [logits, targets, ...(constants ? [constants] : []), ...(weights ? [weights] : [])],
    { ...loss, constants: constants?.shape[0] ?? 0, weighted: weights !== undefined },
  );
  if (!total || !known) throw new ShapeError(`${loss.name}: fusedLoss has three outputs`);
  return { total, known };
}

function buildKernel(
  { inputs, attributes }: Problem<FusedLossAttributes>,
  traits: DeviceTraits,
  order: 'serial' | 'tree',
): Kernel {
  const [n = 1, classes = 1] = inputs[0]?.shape ?? [];
  const width = classes % 4 === 0 ? 4 : 1;
  const groups = (n * classes) / width;
  // Walks long enough that few partial sums remain; a GPU needs its lanes filled first.
  const perLane = order === 'serial' ? 8 : Math.max(1, Math.min(8, Math.ceil(groups / 65_536)));
  const lanes = Math.ceil(groups / perLane);
  const partials = order === 'serial' ? lanes : Math.ceil(lanes / WORKGROUP);
  const first = lossPass({ attributes, classes, width, groups, perLane, lanes, order, traits });
  const combine: KernelStep[] = [];
  const scratch: { kind: 'buffer'; bytes: number }[] = [{ kind: 'buffer', bytes: partials * 8 }];
  for (let count = partials; ; ) {
    const next = Math.ceil(count / FAN_IN);
    const from: Operand = { kind: 'scratch', index: scratch.length - 1 };
    if (next === 1) {
      combine.push(combinePass(from, count, 1, traits));
      return { scratch, steps: [first, ...combine] };
    }
    scratch.push({ kind: 'buffer', bytes: next * 8 });
    combine.push(combinePass(from, count, next, traits, { kind: 'scratch', index: scratch.length - 1 }));
    count = next;
  }
}

/** Gradient of every element, and one partial sum (Σ value, Σ weight) a lane or a workgroup. */
function lossPass(options: {
  attributes: FusedLossAttributes;
  classes: number;
  /** Elements of one load; they lie in one row. */
  width: 1 | 4;
  groups: number;
  perLane: number;
  lanes: number;
  order: 'serial' | 'tree';
  traits: DeviceTraits;
}): KernelStep {
  const { attributes, classes, width, groups, perLane, lanes, order, traits } = options;
  const { code, constants, weighted, smoothing } = attributes;
  const grid = flatGrid(lanes, WORKGROUP, traits);
  const words = width === 4 ? 'vec4u' : 'u32';
  const floats = width === 4 ? 'vec4f' : 'f32';
  const input = (name: string, index: number, type: string): Binding => ({
    name,
    operand: { kind: 'input', index },
    access: 'read',
    type,
  });
  const bindings: Binding[] = [input('logits', 0, words), input('targets', 1, words)];
  if (constants > 0) bindings.push(input('classConstants', bindings.length, floats));
  if (weighted) bindings.push(input('sampleWeights', bindings.length, 'f32'));
  bindings.push(
    { name: 'gradient', operand: { kind: 'output', index: 0 }, access: 'read_write', type: floats },
    { name: 'partials', operand: { kind: 'scratch', index: 0 }, access: 'read_write', type: 'vec2f' },
  );

  const perRow = classes / width;
  const rows = Array.from({ length: constants }, (_, k) => k);
  const lane = (j: number) => (width === 4 ? `.${'xyzw'[j]}` : '');
  const loadConstants = rows.map((k) => `let k${k} = classConstants[i % ${perRow}u + ${k * perRow}u];`);
  const elements = Array.from({ length: width }, (_, j) => {
    const args = ['x', 'y', 'weight', ...rows.map((k) => `k${k}`)].map((arg) =>
      arg === 'weight' ? arg : `${arg}${lane(j)}`,
    );
    return `let e${j} = entry(${args.join(', ')});`;
  });
  const own = elements.map((_, j) => `e${j}`);
  return {
    kind: 'dispatch',
    bindings,
    workgroups: grid.workgroups,
    code: wgsl`${code}
${grid.code}
// (gradient, value, weight) of one entry, all 0 where the target is unknown. Whether a number is NaN is asked of its
// bits: WGSL lets a compiler assume that there is none.
fn entry(x: u32, y: u32, weight: f32${rows.map((k) => `, k${k}: f32`).join('')}) -> vec3f {
  let known = (y & 0x7fffffffu) <= 0x7f800000u;
  let target_ = select(0.0, bitcast<f32>(y), known)${smoothing > 0 ? ` * ${literal(1 - smoothing)} + ${literal(smoothing / 2)}` : ''};
  let finite = (x & 0x7f800000u) != 0x7f800000u;
  let usual = loss(select(0.0, bitcast<f32>(x), finite), target_${rows.map((k) => `, k${k}`).join('')});
  let result = select(vec2f(bitcast<f32>(x | 0x7fc00000u)), usual, finite);
  return select(vec3f(0.0), vec3f(result.y * weight, result.x * weight, weight), known);
}

fn group_(i: u32) -> vec2f {
  if (i >= ${groups}u) { return vec2f(0.0); }
  let x = logits[i];
  let y = targets[i];
  let weight = ${weighted ? `sampleWeights[i / ${perRow}u]` : '1.0'};
  ${[...loadConstants, ...elements].join('\n  ')}
  gradient[i] = ${width === 4 ? `vec4f(${own.map((e) => `${e}.x`).join(', ')})` : 'e0.x'};
  return ${own.map((e) => `${e}.yz`).join(' + ')};
}
#if ${order === 'tree'}
var<workgroup> shares: array<vec2f, ${WORKGROUP}>;
#endif
@compute @workgroup_size(${WORKGROUP}) fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let id = flatIndex(group, lane);
  var share = vec2f(0.0);
#if ${order === 'tree'}
  let start = (id - lane) * ${perLane}u + lane;
  for (var k = 0u; k < ${perLane}u; k++) { share += group_(start + k * ${WORKGROUP}u); }
  shares[lane] = share;
  workgroupBarrier();
  for (var half = ${WORKGROUP / 2}u; half > 0u; half = half / 2u) {
    if (lane < half) { shares[lane] += shares[lane + half]; }
    workgroupBarrier();
  }
  let slot = id / ${WORKGROUP}u;
  if (lane == 0u && slot < ${Math.ceil(lanes / WORKGROUP)}u) { partials[slot] = shares[0]; }
#else
  if (id >= ${lanes}u) { return; }
  for (var k = 0u; k < ${perLane}u; k++) { share += group_(id * ${perLane}u + k); }
  partials[id] = share;
#endif
}`,
  };
}

/** Adds up partial sums in order, `FAN_IN` of them a lane; without a target, the last level: into the two outputs. */
function combinePass(
  from: Operand,
  count: number,
  lanes: number,
  traits: DeviceTraits,
  to?: Operand,
): KernelStep {
  const targets: Binding[] = to
    ? [{ name: 'sums', operand: to, access: 'read_write', type: 'vec2f' }]
    : [
        { name: 'total', operand: { kind: 'output', index: 1 }, access: 'read_write', type: 'f32' },
        { name: 'known', operand: { kind: 'output', index: 2 }, access: 'read_write', type: 'f32' },
      ];
  return flatStep(
    {
      count: lanes,
      bindings: [{ name: 'partials', operand: from, access: 'read', type: 'vec2f' }, ...targets],
      body: `var sum = vec2f(0.0);
  for (var k = id * ${FAN_IN}u; k < min((id + 1u) * ${FAN_IN}u, ${count}u); k++) { sum += partials[k]; }
  ${to ? 'sums[id] = sum;' : 'total[0] = sum.x; known[0] = sum.y;'}`,
    },
    traits,
  );
}
