import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import type {
  Binding,
  DeviceTraits,
  Kernel,
  KernelStep,
  Operand,
  Problem,
} from '../../engine/graph/tensor.js';
import { flatGrid } from '../common/grid.js';
import { literal } from '../pointwise/expression.js';
import { workgroupSum } from '../reduce/workgroup-sum.js';
import type { FusedLossAttributes } from './loss-attributes.js';
import { countCode, DIVISOR_OF, entryCode, type LossLayout, lossLayout, lossOperands } from './loss-entry.js';

/**
 * The kernels of a fused loss. Small ones are one workgroup's work. Large ones take two dispatches, every lane or
 * workgroup leaving its share of the value, and a mean another one before them, as the gradient of every entry must
 * know how many are known.
 *
 * Sums are ordered: a lane sums its own elements, and the shares are added up in order. So the bits are the same at
 * every run, and rounding grows with the length of a share and the number of shares, not with their product.
 *
 * Where entries depend on a sum over their row, a lane (or workgroup) takes whole rows, and sums each row first.
 */
export type LossStyle = 'single' | 'serial' | 'tree';

/** Entries that one workgroup takes as long for as another dispatch takes at all. */
export const LARGEST_SINGLE = 8192;
/** Rows whose sums one workgroup can hold in its memory. */
export const MOST_SINGLE_ROWS = 2048;

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
  const layout = lossLayout(inputs[0]?.shape ?? [], attributes);
  if (style === 'single') return { scratch: [], steps: [singlePass(layout)] };

  const lanesOfShare = style === 'tree' ? WORKGROUP : 1;
  const grain = grainOf(layout, style);
  const grains = Math.ceil((layout.n * layout.perRow) / grain);
  const walk = Math.max(
    Math.ceil((SHORTEST_WALK[style] * lanesOfShare) / grain),
    Math.ceil(grains / MOST_SHARES),
  );
  const shares = Math.ceil(grains / walk);
  const counted = attributes.reduction === 'mean';
  const counts: Operand = { kind: 'scratch', index: 1 };
  return {
    scratch: [
      { kind: 'buffer', bytes: shares * 4 },
      ...(counted ? [{ kind: 'buffer', bytes: COUNT_SHARES * 4 } as const] : []),
    ],
    steps: [
      ...(counted ? [countPass(layout, counts, style)] : []),
      valuePass(layout, { counts: counted ? counts : undefined, shares, grains, walk, style, traits }),
      combinePass(layout, { counts: counted ? counts : undefined, shares, style }),
    ],
  };
}

/** Loads that are never divided between shares: one of each lane of a share, or all of a row. */
function grainOf({ attributes: { row }, perRow }: LossLayout, style: 'serial' | 'tree'): number {
  if (row) return perRow;
  return style === 'tree' ? WORKGROUP : 1;
}

/** The divisor of value and gradient, where it does not depend on the targets. */
function fixedDivisor({ attributes: { reduction }, n }: LossLayout): string {
  return reduction === 'batchmean' ? literal(n) : '1.0';
}

function singlePass(layout: LossLayout): KernelStep {
  const { n, perRow, attributes } = layout;
  const { row, reduction } = attributes;
  const counted = reduction === 'mean';
  const groups = n * perRow;
  return {
    kind: 'dispatch',
    bindings: [...lossOperands(layout), gradientOf(layout), lossBinding],
    workgroups: [1, 1, 1],
    code: wgsl`${counted ? countCode(layout) : ''}${entryCode(layout)}${workgroupSum(WORKGROUP)}
#if ${row}
var<workgroup> rowSums: array<f32, ${n}>;
#endif
@compute @workgroup_size(${WORKGROUP}) fn main(@builtin(local_invocation_index) lane: u32) {
#if ${counted}
  var known = 0.0;
  for (var i = lane; i < ${groups}u; i += ${WORKGROUP}u) { known += knownOf(i); }
  let divisor = divisorOf(workgroupSum(lane, known));
#else
  let divisor = ${fixedDivisor(layout)};
#endif
#if ${row}
  for (var r = lane; r < ${n}u; r += ${WORKGROUP}u) {
    var terms = 0.0;
    for (var j = 0u; j < ${perRow}u; j++) { terms += rowOf(r * ${perRow}u + j); }
    rowSums[r] = terms;
  }
  workgroupBarrier();
#endif
  var partial = 0.0;
  for (var i = lane; i < ${groups}u; i += ${WORKGROUP}u) { partial += valueOf(i, 1.0 / divisor, ${row ? `rowSums[i / ${perRow}u]` : '0.0'}); }
  let total = workgroupSum(lane, partial);
  if (lane == 0u) { loss_[0] = total / divisor; }
}`,
  };
}

/** Σ weights of known entries, in `COUNT_SHARES` shares. */
function countPass(layout: LossLayout, counts: Operand, style: 'serial' | 'tree'): KernelStep {
  const groups = layout.n * layout.perRow;
  const walk = Math.ceil(groups / COUNT_SHARES);
  const tree = style === 'tree';
  // Serial: the lanes of one vector register together, so that two cores have work.
  const workgroup = tree ? WORKGROUP : COUNT_SHARES / 2;
  return {
    kind: 'dispatch',
    bindings: [
      ...lossOperands(layout).filter(({ name }) => name === 'targets' || name === 'sampleWeights'),
      { name: 'counts', operand: counts, access: 'read_write', type: 'f32' },
    ],
    workgroups: [tree ? COUNT_SHARES : 2, 1, 1],
    code: wgsl`${countCode(layout)}${tree ? workgroupSum(WORKGROUP) : ''}
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

interface ValueOptions extends ShareOptions {
  readonly grains: number;
  /** Grains of a share. */
  readonly walk: number;
  readonly traits: DeviceTraits;
}

/** Gradient of every entry, and a share of the value a lane or a workgroup. */
function valuePass(
  layout: LossLayout,
  { counts, shares, grains, walk, style, traits }: ValueOptions,
): KernelStep {
  const { perRow, attributes } = layout;
  const { row } = attributes;
  const tree = style === 'tree';
  const [firstLane, stride] = tree ? ['lane', WORKGROUP] : ['0u', 1];
  const grain = grainOf(layout, style);
  const groups = layout.n * perRow;
  const grid = flatGrid(shares * (tree ? WORKGROUP : 1), WORKGROUP, traits);
  return {
    kind: 'dispatch',
    bindings: [
      ...lossOperands(layout),
      ...countsBinding(counts),
      gradientOf(layout),
      { name: 'partials', operand: { kind: 'scratch', index: 0 }, access: 'read_write', type: 'f32' },
    ],
    workgroups: grid.workgroups,
    code: wgsl`${entryCode(layout)}${divisorCode(layout, counts)}${grid.code}${tree ? workgroupSum(WORKGROUP) : ''}
@compute @workgroup_size(${WORKGROUP}) fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let slot = ${tree ? `flatIndex(group, 0u) / ${WORKGROUP}u` : 'flatIndex(group, lane)'};
  let first = slot * ${walk}u;
  let last = min(first + ${walk}u, ${grains}u);
  let scale = 1.0 / divisor();
  var partial = 0.0;
#if ${row}
  for (var r = first; r < last; r++) {
    var row = 0.0;
    for (var j = ${firstLane}; j < ${perRow}u; j += ${stride}u) { row += rowOf(r * ${perRow}u + j); }
    ${tree ? 'row = workgroupSum(lane, row);' : ''}
    for (var j = ${firstLane}; j < ${perRow}u; j += ${stride}u) { partial += valueOf(r * ${perRow}u + j, scale, row); }
  }
#else
  let end = min(last * ${grain}u, ${groups}u);
  for (var i = first * ${grain}u + ${firstLane}; i < end; i += ${stride}u) { partial += valueOf(i, scale, 0.0); }
#endif
#if ${tree}
  partial = workgroupSum(lane, partial);
#endif
  if (${tree ? 'lane == 0u && ' : ''}slot < ${shares}u) { partials[slot] = partial; }
}`,
  };
}

/** Adds up the shares of the value, in order. */
function combinePass(layout: LossLayout, { counts, shares, style }: ShareOptions): KernelStep {
  const tree = style === 'tree';
  return {
    kind: 'dispatch',
    bindings: [
      { name: 'partials', operand: { kind: 'scratch', index: 0 }, access: 'read', type: 'f32' },
      ...countsBinding(counts),
      lossBinding,
    ],
    workgroups: [1, 1, 1],
    code: wgsl`${divisorCode(layout, counts)}${tree ? workgroupSum(WORKGROUP) : ''}
@compute @workgroup_size(${tree ? WORKGROUP : 1}) fn main(@builtin(local_invocation_index) lane: u32) {
  var total = 0.0;
  for (var k = lane; k < ${shares}u; k += ${tree ? WORKGROUP : 1}u) { total += partials[k]; }
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

function gradientOf({ width }: LossLayout): Binding {
  const type = width === 4 ? 'vec4f' : 'f32';
  return { name: 'gradient', operand: { kind: 'output', index: 1 }, access: 'read_write', type };
}

function countsBinding(counts: Operand | undefined): Binding[] {
  return counts ? [{ name: 'counts', operand: counts, access: 'read', type: 'f32' }] : [];
}

/** WGSL `divisor()`, from the shares of the count where there are some. */
function divisorCode(layout: LossLayout, counts: Operand | undefined): string {
  if (!counts) return `fn divisor() -> f32 { return ${fixedDivisor(layout)}; }\n`;
  const sum = Array.from({ length: COUNT_SHARES }, (_, k) => `counts[${k}]`).join(' + ');
  return `${DIVISOR_OF}fn divisor() -> f32 { return divisorOf(${sum}); }\n`;
}
