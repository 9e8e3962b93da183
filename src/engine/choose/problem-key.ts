import type { Node, TensorSpec } from '../graph/tensor.js';
import { hash32 } from '../random.js';

/**
 * The name of the problem that a node poses: op, shapes and attributes, but not its place in the network. Equal
 * layers share it, and so do another day's runs: the tuner remembers winners by it.
 *
 * Readable up to the attributes, of which it holds a digest. Functions among them (WGSL of an expression) are told
 * apart by their names. Two problems of one name would share a choice of kernel, never a result.
 */
export function problemKey({ op, inputs, outputs, attributes }: Node): string {
  const text = JSON.stringify(attributes) ?? '';
  const digest = [0x9e3779b9, 0x85ebca6b].map((seed) => hash32(text, seed).toString(16).padStart(8, '0'));
  return `${op.name} ${inputs.map(spell).join(' ')} → ${outputs.map(spell).join(' ')} #${digest.join('')}`;
}

function spell({ shape, dtype }: TensorSpec): string {
  return `[${shape.join(',')}]${dtype === 'f32' ? '' : dtype}`;
}
