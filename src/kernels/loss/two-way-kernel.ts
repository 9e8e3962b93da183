import type { DeviceTraits, Kernel, KernelStep, Problem } from '../../engine/graph/tensor.js';
import { flatStep } from '../common/grid.js';
import { literal } from '../pointwise/expression.js';
import { workgroupSum } from '../reduce/workgroup-sum.js';
import { BIT_CHECKS, batchOperands, scratch } from './batch-operands.js';
import type { TwoWayAttributes } from './two-way-attributes.js';

/**
 * The kernel of the two-way loss, three dispatches whatever the size: log-sum-exps of segments of all rows and columns;
 * one workgroup that joins the segments of a line and adds up the lines; and the gradient of every entry. All sums are
 * ordered: the same bits at every run.
 *
 * A log-sum-exp is stored as its largest term m, a logit itself, and s = Σ exp((x − m)/T): T·lse = m + T·log s, so that two
 * large ones of opposite sign cancel exactly.
 */

const WORKGROUP = 64;
/** Entries of a line that a lane sums. */
const SEGMENT = 64;
/** Segments of a line, at most: one lane joins them. */
const MOST_SEGMENTS = 64;

export function twoWayKernel(
  { inputs, attributes }: Problem<TwoWayAttributes>,
  traits: DeviceTraits,
): Kernel {
  const [n = 1, classes = 1] = inputs[0]?.shape ?? [];
  const rows = linesOf(n, classes);
  const columns = linesOf(classes, n);
  const layout: Layout = { attributes, n, classes, rows, columns, traits };
  const partials = rows.count * rows.segments + columns.count * columns.segments;
  return {
    scratch: [
      { kind: 'buffer', bytes: partials * 16 },
      { kind: 'buffer', bytes: (n + classes) * 16 },
      { kind: 'buffer', bytes: 8 },
    ],
    steps: [sumSegments(layout), joinLines(layout), writeGradient(layout)],
  };
}

interface Lines {
  readonly count: number;
  /** Entries of a line. */
  readonly length: number;
  readonly segments: number;
  /** Entries of a segment. */
  readonly share: number;
}

interface Layout {
  readonly attributes: TwoWayAttributes;
  readonly n: number;
  readonly classes: number;
  readonly rows: Lines;
  readonly columns: Lines;
  readonly traits: DeviceTraits;
}

function linesOf(count: number, length: number): Lines {
  const share = Math.max(SEGMENT, Math.ceil(length / MOST_SEGMENTS));
  return { count, length, share, segments: Math.ceil(length / share) };
}

/** WGSL of a log-sum-exp of negatives and one of positives: (m⁻, s⁻, m⁺, s⁺). */
function sumsCode({ attributes }: Layout): string {
  const { negativeTemperature, positiveTemperature, smoothing } = attributes;
  return `
const TN = ${literal(negativeTemperature)};
const TP = ${literal(positiveTemperature)};
${BIT_CHECKS}
fn target_(y: u32) -> f32 {
  return select(0.0, bitcast<f32>(y), isKnown(y)) * ${literal(1 - smoothing)} + ${literal(smoothing / 2)};
}
const NOTHING = vec4f(-3e38, 0.0, -3e38, 0.0);
fn joined(a: vec4f, b: vec4f) -> vec4f {
  let n = max(a.x, b.x);
  let p = max(a.z, b.z);
  return vec4f(
    n, a.y * exp((a.x - n) / TN) + b.y * exp((b.x - n) / TN),
    p, a.w * exp((a.z - p) / TP) + b.w * exp((b.z - p) / TP),
  );
}
`;
}

/**
 * The first dispatch: one lane a segment, those of the rows first.
 *
 * Sample (two-way loss of [2, 3]):
 *
 *     var sums = NOTHING;
 *     if (id < 2u) {
 *       let first = (id / 1u) * 3u;
 *       let segment = (id % 1u) * 64u;
 *       for (var j = segment; j < min(segment + 64u, 3u); j++) { sums = added(sums, first + j, 1.0); }
 *     } else {
 *       let column = (id - 2u) % 3u;
 *       let segment = ((id - 2u) / 3u) * 64u;
 *       for (var i = segment; i < min(segment + 64u, 2u); i++) {
 *         sums = added(sums, i * 3u + column, 1.0);
 *       }
 *     }
 *     partials[id] = sums;
 */
function sumSegments(layout: Layout) {
  const { attributes, classes, rows, columns, traits } = layout;
  const rowLanes = rows.count * rows.segments;
  return flatStep(
    {
      count: rowLanes + columns.count * columns.segments,
      bindings: [...batchOperands(attributes.weighted), scratch(0, 'partials', 'vec4f', 'read_write')],
      declarations: `${sumsCode(layout)}
fn added(sums: vec4f, i: u32, weight: f32) -> vec4f {
  let x = logits[i];
  let y = targets[i];
  let positive = weight * target_(y);
  let negative = weight - positive;
  let value = select(0.0, bitcast<f32>(x), isFinite(x));
  // not a number, where the logit is none
  let seen = select(bitcast<f32>(x | 0x7fc00000u), 1.0, isFinite(x));
  let one = vec4f(
    select(-3e38, value, negative > 0.0), negative * seen,
    select(-3e38, -value, positive > 0.0), positive * seen,
  );
  return select(sums, joined(sums, one), isKnown(y) && weight > 0.0);
}
`,
      // neighbouring lanes have neighbouring columns
      body: `var sums = NOTHING;
  if (id < ${rowLanes}u) {
    let first = (id / ${rows.segments}u) * ${classes}u;
    let segment = (id % ${rows.segments}u) * ${rows.share}u;
    for (var j = segment; j < min(segment + ${rows.share}u, ${rows.length}u); j++) { sums = added(sums, first + j, 1.0); }
  } else {
    let column = (id - ${rowLanes}u) % ${classes}u;
    let segment = ((id - ${rowLanes}u) / ${classes}u) * ${columns.share}u;
    for (var i = segment; i < min(segment + ${columns.share}u, ${columns.length}u); i++) {
      sums = added(sums, i * ${classes}u + column, ${attributes.weighted ? 'sampleWeights[i]' : '1.0'});
    }
  }
  partials[id] = sums;`,
    },
    traits,
  );
}

function joinLines(layout: Layout): KernelStep {
  const { attributes, n, classes, rows, columns } = layout;
  const rowLanes = rows.count * rows.segments;
  const mean = attributes.reduction === 'mean';
  const divisor = attributes.reduction === 'batchmean' ? literal(n) : '1.0';
  return {
    kind: 'dispatch',
    bindings: [
      scratch(0, 'partials', 'vec4f', 'read'),
      ...batchOperands(attributes.weighted).filter(({ name }) => name === 'sampleWeights'),
      scratch(1, 'lines', 'vec4f', 'read_write'),
      scratch(2, 'scales', 'f32', 'read_write'),
      { name: 'loss_', operand: { kind: 'output', index: 0 }, access: 'read_write', type: 'f32' },
    ],
    workgroups: [1, 1, 1],
    code: `${sumsCode(layout)}${workgroupSum(WORKGROUP)}
fn softplus(z: f32) -> f32 {
  let e = exp(-min(abs(z), 100.0));
  // log(1 + e), where adding would lose e: by its series
  return max(z, 0.0) + select(log(1.0 + e), e - 0.5 * e * e, e < 1e-4);
}
/** Value of a line and whether it counts; leaves the factors of its entries' gradients. */
fn settle(line: u32, sums: vec4f) -> vec2f {
  let z = sums.x + sums.z + TN * log(max(sums.y, 1e-38)) + TP * log(max(sums.w, 1e-38));
  let e = exp(-min(abs(z), 100.0));
  let slope = select(e, 1.0, z >= 0.0) / (1.0 + e);
  let broken = !(isFinite(bitcast<u32>(sums.y)) && isFinite(bitcast<u32>(sums.w)));
  let compared = sums.y > 0.0 && sums.w > 0.0;
  let nan = bitcast<f32>(bitcast<u32>(sums.y) | bitcast<u32>(sums.w) | 0x7fc00000u);
  let factors = select(vec2f(0.0), vec2f(slope / sums.y, slope / sums.w), compared);
  lines[line] = select(vec4f(sums.x, factors.x, sums.z, factors.y), vec4f(0.0, nan, 0.0, nan), broken);
  let value = select(0.0, softplus(z), compared);
  return vec2f(select(value, nan, broken), select(0.0, 1.0, sums.w > 0.0 || broken));
}
@compute @workgroup_size(${WORKGROUP}) fn main(@builtin(local_invocation_index) lane: u32) {
  var byRow = vec2f(0.0);
  for (var i = lane; i < ${n}u; i += ${WORKGROUP}u) {
    var sums = NOTHING;
    for (var k = 0u; k < ${rows.segments}u; k++) { sums = joined(sums, partials[i * ${rows.segments}u + k]); }
    let weight = ${attributes.weighted ? 'sampleWeights[i]' : '1.0'};
    let settled = settle(i, sums);
    if (weight > 0.0) { byRow += weight * settled; }
  }
  var byColumn = vec2f(0.0);
  for (var c = lane; c < ${classes}u; c += ${WORKGROUP}u) {
    var sums = NOTHING;
    for (var k = 0u; k < ${columns.segments}u; k++) { sums = joined(sums, partials[${rowLanes}u + k * ${classes}u + c]); }
    byColumn += settle(${n}u + c, sums);
  }
  let rowValue = workgroupSum(lane, byRow.x);
  let columnValue = workgroupSum(lane, byColumn.x);
  let rowCount = workgroupSum(lane, byRow.y);
  let columnCount = workgroupSum(lane, byColumn.y);
  if (lane == 0u) {
    let rowScale = 1.0 / ${mean ? 'select(1.0, rowCount, rowCount > 0.0)' : divisor};
    let columnScale = 1.0 / ${mean ? 'select(1.0, columnCount, columnCount > 0.0)' : divisor};
    scales[0] = rowScale;
    scales[1] = columnScale;
    loss_[0] = rowValue * rowScale + columnValue * columnScale;
  }
}`,
  };
}

function writeGradient(layout: Layout) {
  const { attributes, n, classes, traits } = layout;
  return flatStep(
    {
      count: n * classes,
      bindings: [
        ...batchOperands(attributes.weighted),
        scratch(1, 'lines', 'vec4f', 'read'),
        scratch(2, 'scales', 'f32', 'read'),
        { name: 'gradient', operand: { kind: 'output', index: 1 }, access: 'read_write', type: 'f32' },
      ],
      declarations: `${sumsCode(layout)}
fn slope(line: vec4f, x: f32, y: f32) -> f32 {
  // min: an entry without weight on a side is in no maximum there
  let down = select(0.0, (1.0 - y) * exp(min((x - line.x) / TN, 0.0)), y < 1.0);
  let up = select(0.0, y * exp(min((-x - line.z) / TP, 0.0)), y > 0.0);
  return down * line.y - up * line.w;
}
`,
      body: `let bits = logits[id];
  let y = target_(targets[id]);
  let x = select(0.0, bitcast<f32>(bits), isFinite(bits));
  let weight = ${attributes.weighted ? `sampleWeights[id / ${classes}u]` : '1.0'};
  let both = scales[0] * slope(lines[id / ${classes}u], x, y) + scales[1] * slope(lines[${n}u + id % ${classes}u], x, y);
  gradient[id] = select(0.0, weight * both, isKnown(targets[id]) && weight > 0.0);`,
    },
    traits,
  );
}
