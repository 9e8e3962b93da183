import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import type { Binding, DeviceTraits, Kernel, KernelStep, Operand, Problem } from '../engine/tensor.js';
import { literal } from './expression.js';
import { flatGrid } from './grid.js';
import type { FusedLossAttributes } from './loss.js';

/**
 * The kernels of a fused loss. Small ones are one workgroup's work. Large ones take two dispatches, every lane or
 * workgroup leaving its share of the value, and a mean another one before them, as the gradient of every entry must
 * know how many are known.
 *
 * Sums are ordered: a lane sums its own elements, and the shares are added up in order. So the bits are the same at
 * every run, and rounding grows with the length of a share and the number of shares, not with their product.
 */
export type LossStyle = 'single' | 'serial' | 'tree';

/** Entries that one workgroup takes as long for as another dispatch takes at all. */
export const LARGEST_SINGLE = 8192;

const WORKGROUP = 64;
/** Shares of the value, at most. */
const MOST_SHARES = 1024;
/** Shares of the count: few, since every lane adds them up. */
const COUNT_SHARES = 16;
/** Loads of one lane, at least: walks long enough that few shares remain. */
const SHORTEST_WALK = { serial: 32, tree: 1 } as const;

export function lossKernel(
  { inputs, attributes }: Problem<FusedLossAttributes>,
  traits: DeviceTraits,
  style: LossStyle,
): Kernel {
  const [n = 1, classes = 1] = inputs[0]?.shape ?? [];
  const width = classes % 4 === 0 ? 4 : 1;
  const layout: Layout = { attributes, n, classes, width, groups: (n * classes) / width };
  if (style === 'single') return { scratch: [], steps: [singlePass(layout)] };

  const lanesOfShare = style === 'tree' ? WORKGROUP : 1;
  const walk = Math.max(SHORTEST_WALK[style], Math.ceil(layout.groups / (lanesOfShare * MOST_SHARES)));
  const shares = Math.ceil(layout.groups / (lanesOfShare * walk));
  const counted = attributes.reduction === 'mean';
  const counts: Operand = { kind: 'scratch', index: 1 };
  return {
    scratch: [
      { kind: 'buffer', bytes: shares * 4 },
      ...(counted ? [{ kind: 'buffer', bytes: COUNT_SHARES * 4 } as const] : []),
    ],
    steps: [
      ...(counted ? [countPass(layout, counts, style)] : []),
      valuePass(layout, { counts: counted ? counts : undefined, shares, walk, style, traits }),
      combinePass(layout, { counts: counted ? counts : undefined, shares, style }),
    ],
  };
}

interface Layout {
  readonly attributes: FusedLossAttributes;
  readonly n: number;
  readonly classes: number;
  /** Elements of one load; they lie in one row. */
  readonly width: 1 | 4;
  /** Loads of all entries. */
  readonly groups: number;
}

/** What a value or gradient is divided by, where that does not depend on the targets. */
function fixedDivisor({ attributes: { reduction }, n }: Layout): string {
  return reduction === 'batchmean' ? literal(n) : '1.0';
}

function singlePass(layout: Layout): KernelStep {
  const counted = layout.attributes.reduction === 'mean';
  return {
    kind: 'dispatch',
    bindings: [...operands(layout), gradientOf(layout), lossBinding],
    workgroups: [1, 1, 1],
    code: wgsl`${counted ? countCode(layout) : ''}${valueCode(layout)}${workgroupSum}
@compute @workgroup_size(${WORKGROUP}) fn main(@builtin(local_invocation_index) lane: u32) {
#if ${counted}
  var known = 0.0;
  for (var i = lane; i < ${layout.groups}u; i += ${WORKGROUP}u) { known += knownOf(i); }
  let divisor = divisorOf(workgroupSum(lane, known));
#else
  let divisor = ${fixedDivisor(layout)};
#endif
  var share = 0.0;
  for (var i = lane; i < ${layout.groups}u; i += ${WORKGROUP}u) { share += valueOf(i, 1.0 / divisor); }
  let total = workgroupSum(lane, share);
  if (lane == 0u) { loss_[0] = total / divisor; }
}`,
  };
}

/** Σ weights of known entries, in `COUNT_SHARES` shares. */
function countPass(layout: Layout, counts: Operand, style: 'serial' | 'tree'): KernelStep {
  const { groups } = layout;
  const walk = Math.ceil(groups / COUNT_SHARES);
  const tree = style === 'tree';
  // Serial: the lanes of one vector register together, so that two cores have work.
  const workgroup = tree ? WORKGROUP : COUNT_SHARES / 2;
  return {
    kind: 'dispatch',
    bindings: [
      ...operands(layout).filter(({ name }) => name === 'targets' || name === 'sampleWeights'),
      { name: 'counts', operand: counts, access: 'read_write', type: 'f32' },
    ],
    workgroups: [tree ? COUNT_SHARES : 2, 1, 1],
    code: wgsl`${countCode(layout)}${tree ? workgroupSum : ''}
@compute @workgroup_size(${workgroup}) fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let slot = ${tree ? 'group.x' : `group.x * ${workgroup}u + lane`};
  let last = min((slot + 1u) * ${walk}u, ${groups}u);
  var known = 0.0;
  for (var i = slot * ${walk}u + ${tree ? 'lane' : '0u'}; i < last; i += ${tree ? WORKGROUP : 1}u) { known += knownOf(i); }
#if ${tree}
  let total = workgroupSum(lane, known);
  if (lane == 0u) { counts[slot] = total; }
#else
  counts[slot] = known;
#endif
}`,
  };
}

interface ShareOptions {
  /** Where the shares of the count are, for a mean. */
  readonly counts: Operand | undefined;
  /** How many shares of the value there are. */
  readonly shares: number;
  readonly style: 'serial' | 'tree';
}

/** Gradient of every entry, and a share of the value a lane or a workgroup. */
function valuePass(
  layout: Layout,
  { counts, shares, walk, style, traits }: ShareOptions & { walk: number; traits: DeviceTraits },
): KernelStep {
  const tree = style === 'tree';
  const grid = flatGrid(shares * (tree ? WORKGROUP : 1), WORKGROUP, traits);
  return {
    kind: 'dispatch',
    bindings: [
      ...operands(layout),
      ...countsBinding(counts),
      gradientOf(layout),
      { name: 'shares', operand: { kind: 'scratch', index: 0 }, access: 'read_write', type: 'f32' },
    ],
    workgroups: grid.workgroups,
    code: wgsl`${valueCode(layout)}${divisorCode(layout, counts)}${grid.code}${tree ? workgroupSum : ''}
@compute @workgroup_size(${WORKGROUP}) fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let id = flatIndex(group, lane);
  let slot = ${tree ? `id / ${WORKGROUP}u` : 'id'};
  let first = slot * ${walk * (tree ? WORKGROUP : 1)}u;
  let last = min(first + ${walk * (tree ? WORKGROUP : 1)}u, ${layout.groups}u);
  let scale = 1.0 / divisor();
  var share = 0.0;
  for (var i = first + ${tree ? 'lane' : '0u'}; i < last; i += ${tree ? WORKGROUP : 1}u) { share += valueOf(i, scale); }
#if ${tree}
  share = workgroupSum(lane, share);
#endif
  if (${tree ? 'lane == 0u && ' : ''}slot < ${shares}u) { shares[slot] = share; }
}`,
  };
}

/** Adds up the shares of the value, in order. */
function combinePass(layout: Layout, { counts, shares, style }: ShareOptions): KernelStep {
  const tree = style === 'tree';
  return {
    kind: 'dispatch',
    bindings: [
      { name: 'shares', operand: { kind: 'scratch', index: 0 }, access: 'read', type: 'f32' },
      ...countsBinding(counts),
      lossBinding,
    ],
    workgroups: [1, 1, 1],
    code: wgsl`${divisorCode(layout, counts)}${tree ? workgroupSum : ''}
@compute @workgroup_size(${tree ? WORKGROUP : 1}) fn main(@builtin(local_invocation_index) lane: u32) {
  var total = 0.0;
  for (var k = lane; k < ${shares}u; k += ${tree ? WORKGROUP : 1}u) { total += shares[k]; }
#if ${tree}
  total = workgroupSum(lane, total);
#endif
  if (lane == 0u) { loss_[0] = total / divisor(); }
}`,
  };
}

const lossBinding: Binding = {
  name: 'loss_',
  operand: { kind: 'output', index: 0 },
  access: 'read_write',
  type: 'f32',
};

function gradientOf({ width }: Layout): Binding {
  const type = width === 4 ? 'vec4f' : 'f32';
  return { name: 'gradient', operand: { kind: 'output', index: 1 }, access: 'read_write', type };
}

function countsBinding(counts: Operand | undefined): Binding[] {
  return counts ? [{ name: 'counts', operand: counts, access: 'read', type: 'f32' }] : [];
}

function operands({ attributes: { constants, weighted }, width }: Layout): Binding[] {
  const types: Record<string, string> = {
    logits: width === 4 ? 'vec4u' : 'u32',
    targets: width === 4 ? 'vec4u' : 'u32',
    classConstants: width === 4 ? 'vec4f' : 'f32',
    sampleWeights: 'f32',
  };
  const names = [
    'logits',
    'targets',
    ...(constants > 0 ? ['classConstants'] : []),
    ...(weighted ? ['sampleWeights'] : []),
  ];
  return names.map((name, index) => ({
    name,
    operand: { kind: 'input', index },
    access: 'read',
    type: types[name] ?? 'f32',
  }));
}

/** Whether a number is NaN is asked of its bits: WGSL lets a compiler assume that there is none. */
const IS_KNOWN = '(y & 0x7fffffffu) <= 0x7f800000u';

/** WGSL `knownOf(i)`: weight of the known entries of load `i`; and what a mean is divided by. */
function countCode({ attributes: { weighted }, classes, width }: Layout): string {
  const weight = weighted ? ` * sampleWeights[i / ${classes / width}u]` : '';
  const entries = width === 4 ? 'isKnown(y.x) + isKnown(y.y) + isKnown(y.z) + isKnown(y.w)' : 'isKnown(y)';
  return `fn isKnown(y: u32) -> f32 { return select(0.0, 1.0, ${IS_KNOWN}); }
fn knownOf(i: u32) -> f32 { let y = targets[i]; return (${entries})${weight}; }
${DIVISOR_OF}`;
}

/** Where nothing is known the value is 0: divided by 1 it stays so. */
const DIVISOR_OF = 'fn divisorOf(known: f32) -> f32 { return select(1.0, known, known > 0.0); }\n';

/** WGSL `divisor()`, from the shares of the count where there are some. */
function divisorCode(layout: Layout, counts: Operand | undefined): string {
  if (!counts) return `fn divisor() -> f32 { return ${fixedDivisor(layout)}; }\n`;
  const sum = Array.from({ length: COUNT_SHARES }, (_, k) => `counts[${k}]`).join(' + ');
  return `${DIVISOR_OF}fn divisor() -> f32 { return divisorOf(${sum}); }\n`;
}

/** WGSL `valueOf(i, scale)`: the value of load `i`; writes its gradient times `scale`. */
function valueCode({ attributes, classes, width }: Layout): string {
  const { code, constants, weighted, smoothing } = attributes;
  const perRow = classes / width;
  const rows = Array.from({ length: constants }, (_, k) => k);
  const component = (j: number) => (width === 4 ? `.${'xyzw'[j]}` : '');
  const entries = Array.from({ length: width }, (_, j) => {
    const constantsOf = rows.map((k) => `, k${k}${component(j)}`).join('');
    return `let e${j} = entry(x${component(j)}, y${component(j)}${constantsOf});`;
  });
  const own = entries.map((_, j) => `e${j}`);
  return `${code}
// Value and gradient of one entry, both 0 where the target is unknown.
fn entry(x: u32, y: u32${rows.map((k) => `, k${k}: f32`).join('')}) -> vec2f {
  let known = ${IS_KNOWN};
  let target_ = select(0.0, bitcast<f32>(y), known)${smoothing > 0 ? ` * ${literal(1 - smoothing)} + ${literal(smoothing / 2)}` : ''};
  let finite = (x & 0x7f800000u) != 0x7f800000u;
  let usual = loss(select(0.0, bitcast<f32>(x), finite), target_${rows.map((k) => `, k${k}`).join('')});
  let result = select(vec2f(bitcast<f32>(x | 0x7fc00000u)), usual, finite);
  return select(vec2f(0.0), result, known);
}
fn valueOf(i: u32, scale: f32) -> f32 {
  let x = logits[i];
  let y = targets[i];
  let weight = ${weighted ? `sampleWeights[i / ${perRow}u]` : '1.0'};
  ${[...rows.map((k) => `let k${k} = classConstants[i % ${perRow}u + ${k * perRow}u];`), ...entries].join('\n  ')}
  gradient[i] = ${width === 4 ? `vec4f(${own.map((e) => `${e}.y`).join(', ')})` : 'e0.y'} * (weight * scale);
  return (${own.map((e) => `${e}.x`).join(' + ')}) * weight;
}
`;
}

/** WGSL `workgroupSum(lane, share)`: the sum over the workgroup's lanes, for all of them. */
const workgroupSum = `var<workgroup> laneShares: array<f32, ${WORKGROUP}>;
fn workgroupSum(lane: u32, share: f32) -> f32 {
  workgroupBarrier();
  laneShares[lane] = share;
  for (var half = ${WORKGROUP / 2}u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { laneShares[lane] += laneShares[lane + half]; }
  }
  workgroupBarrier();
  return laneShares[0];
}
`;
