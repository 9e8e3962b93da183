import type { Binding, Operand } from '../../engine/graph/tensor.js';
import { IS_KNOWN } from './loss-entry.js';

/** What the kernels of losses over whole batches bind and declare alike. */

/** WGSL on the bits of a logit and of a target: a number or not, a label or unknown. */
export const BIT_CHECKS = `fn isFinite(x: u32) -> bool { return (x & 0x7f800000u) != 0x7f800000u; }
fn isKnown(y: u32) -> bool { return ${IS_KNOWN}; }`;

/**
 * The operands in their order: logits and targets as bits, so that a NaN stays one, then f32 numbers.
 * @param more names of operands behind the weights of images
 */
export function batchOperands(weighted: boolean, more: readonly string[] = []): Binding[] {
  const names = ['logits', 'targets', ...(weighted ? ['sampleWeights'] : []), ...more];
  return names.map((name, index) => ({
    name,
    operand: { kind: 'input', index },
    access: 'read',
    type: name === 'logits' || name === 'targets' ? 'u32' : 'f32',
  }));
}

/** Buffer number `index` of the kernel's own. */
export function scratch(index: number, name: string, type: string, access: Binding['access']): Binding {
  const operand: Operand = { kind: 'scratch', index };
  return { name, operand, access, type };
}
