import type { Binding } from '../../engine/graph/tensor.js';
import { literal } from '../pointwise/expression.js';
import type { FusedLossAttributes } from './loss-attributes.js';

/** The WGSL that all kernels of a fused loss share: one load of neighbouring entries, its value, gradient and sums. */
export interface LossLayout {
  readonly attributes: FusedLossAttributes;
  readonly n: number;
  readonly classes: number;
  /** Elements of one load; they lie in one row. */
  readonly width: 1 | 4;
  /** Loads of a row. */
  readonly perRow: number;
}

export function lossLayout(
  [n = 1, classes = 1]: readonly number[],
  attributes: FusedLossAttributes,
): LossLayout {
  const width = classes % 4 === 0 ? 4 : 1;
  return { attributes, n, classes, width, perRow: classes / width };
}

/** The bindings that a kernel reads, in the order of the op's inputs. */
export function lossOperands({ attributes, width }: LossLayout): Binding[] {
  const { constants, weighted, scheduled } = attributes;
  const bits = width === 4 ? 'vec4u' : 'u32';
  const operands: [name: string, type: string][] = [
    ['logits', bits],
    ['targets', bits],
    ...(constants > 0 ? ([['classConstants', width === 4 ? 'vec4f' : 'f32']] as [string, string][]) : []),
    ...(weighted ? ([['sampleWeights', 'f32']] as [string, string][]) : []),
    ...(scheduled > 0 ? ([['scheduled', 'f32']] as [string, string][]) : []),
  ];
  return operands.map(([name, type], index) => ({
    name,
    operand: { kind: 'input', index },
    access: 'read',
    type,
  }));
}

/** Whether a number is NaN is asked of its bits: WGSL lets a compiler assume that there is none. */
export const IS_KNOWN = '(y & 0x7fffffffu) <= 0x7f800000u';

/** WGSL `knownOf(i)`: weight of the known entries of load `i`; and `divisorOf(known)`: the divisor of a mean. */
export function countCode({ attributes: { weighted }, perRow, width }: LossLayout): string {
  const weight = weighted ? ` * sampleWeights[i / ${perRow}u]` : '';
  const entries = width === 4 ? 'isKnown(y.x) + isKnown(y.y) + isKnown(y.z) + isKnown(y.w)' : 'isKnown(y)';
  return `fn isKnown(y: u32) -> f32 { return select(0.0, 1.0, ${IS_KNOWN}); }
fn knownOf(i: u32) -> f32 { let y = targets[i]; return (${entries})${weight}; }
${DIVISOR_OF}`;
}

/** Where nothing is known the value is 0: divided by 1 it stays so. */
export const DIVISOR_OF = 'fn divisorOf(known: f32) -> f32 { return select(1.0, known, known > 0.0); }\n';

/**
 * WGSL `valueOf(i, scale, row)`: the value of load `i`; writes its gradient times `scale`. And for losses with a row
 * term `rowOf(i)`: the part of its row's sum that load `i` adds.
 *
 * Sample (fused loss of [2, 4]):
 *
 *     fn valueOf(i: u32, scale: f32, row: f32) -> f32 {
 *       let x = logits[i];
 *       let y = targets[i];
 *       let weight = 1.0;
 *       let e0 = entry(x.x, y.x, row);
 *       let e1 = entry(x.y, y.y, row);
 *       let e2 = entry(x.z, y.z, row);
 *       let e3 = entry(x.w, y.w, row);
 *       gradient[i] = vec4f(e0.y, e1.y, e2.y, e3.y) * (weight * scale);
 *       return (e0.x + e1.x + e2.x + e3.x) * weight;
 *     }
 */
export function entryCode(layout: LossLayout): string {
  const { attributes, perRow, width } = layout;
  const { code, weighted, smoothing, row, scheduled } = attributes;
  const constants = Array.from({ length: attributes.constants }, (_, k) => `k${k}`);
  const typed = constants.map((k) => `, ${k}: f32`).join('');
  const passed = constants.map((k) => `, ${k}`).join('');
  const times = Array.from({ length: scheduled }, (_, k) => `, scheduled[${k}]`).join('');
  const loadConstants = constants
    .map((k, i) => `let ${k} = classConstants[i % ${perRow}u + ${i * perRow}u];`)
    .join('\n  ');
  const smoothed = smoothing > 0 ? ` * ${literal(1 - smoothing)} + ${literal(smoothing / 2)}` : '';
  /** A call for each component of the load. */
  const each = (call: (component: string) => string) =>
    Array.from({ length: width }, (_, j) => call(width === 4 ? `.${'xyzw'[j]}` : ''));
  const entries = each((j) => `entry(x${j}, y${j}${constants.map((k) => `, ${k}${j}`).join('')}, row)`);
  const own = entries.map((_, j) => `e${j}`);
  const rowCode = `
fn rowEntry(y: u32${typed}) -> f32 {
  let known = ${IS_KNOWN};
  return select(0.0, rowTerm(targetOf(y, known)${passed}), known);
}
fn rowOf(i: u32) -> f32 {
  let y = targets[i];
  ${loadConstants}
  return ${each((j) => `rowEntry(y${j}${constants.map((k) => `, ${k}${j}`).join('')})`).join(' + ')};
}
`;
  return `${code}
fn targetOf(y: u32, known: bool) -> f32 { return select(0.0, bitcast<f32>(y), known)${smoothed}; }
// Value and gradient of one entry, both 0 where the target is unknown.
fn entry(x: u32, y: u32${typed}, row: f32) -> vec2f {
  let known = ${IS_KNOWN};
  let finite = (x & 0x7f800000u) != 0x7f800000u;
  let usual = loss(select(0.0, bitcast<f32>(x), finite), targetOf(y, known)${passed}${row ? ', row' : ''}${times});
  let result = select(vec2f(bitcast<f32>(x | 0x7fc00000u)), usual, finite);
  return select(vec2f(0.0), result, known);
}
fn valueOf(i: u32, scale: f32, row: f32) -> f32 {
  let x = logits[i];
  let y = targets[i];
  let weight = ${weighted ? `sampleWeights[i / ${perRow}u]` : '1.0'};
  ${loadConstants}
  ${entries.map((entry, j) => `let e${j} = ${entry};`).join('\n  ')}
  gradient[i] = ${width === 4 ? `vec4f(${own.map((e) => `${e}.y`).join(', ')})` : 'e0.y'} * (weight * scale);
  return (${own.map((e) => `${e}.x`).join(' + ')}) * weight;
}
${row ? rowCode : ''}`;
}
