import type { Shape } from '../../engine/graph/tensor.js';
import { paddedTable } from '../../text/padded-table.js';
import { shorten } from '../../text/shorten.js';
import type { SafetensorsDtype } from '../safetensors/safetensors-dtypes.js';

/**
 * How a file's tensors can differ from a model's, one entry a tensor. Nothing is ever left out because of what its name
 * looks like: whoever loads weights gets the whole list, and decides (see fit-weights.ts).
 */
export type TensorDifference = {
  readonly name: string;
  /** Whose tensor it is; of one that the model has not, whose it must have been (see head-tensors.ts). */
  readonly part: 'backbone' | 'head';
} & (
  | { readonly kind: 'missing'; readonly expected: Shape }
  | { readonly kind: 'unexpected'; readonly found: FoundTensor }
  | { readonly kind: 'shape'; readonly found: FoundTensor; readonly expected: Shape }
  /** Integers or truth values, where weights must be. */
  | { readonly kind: 'dtype'; readonly found: FoundTensor; readonly expected: Shape }
);

export interface FoundTensor {
  readonly dtype: SafetensorsDtype;
  /** As PyTorch has it. */
  readonly shape: Shape;
}

/** Lines of a message; a file of another network differs in hundreds. */
const MOST_ROWS = 40;

/** A table, a tensor a row: its name, its shape in the file and in the model, a dash where it is not. */
export function formatDifferences(differences: readonly TensorDifference[]): string {
  const rows = differences.slice(0, MOST_ROWS).map((difference) => {
    const found = 'found' in difference ? shapeText(difference.found.shape) : '–';
    const expected = 'expected' in difference ? shapeText(difference.expected) : '–';
    const dtype = difference.kind === 'dtype' ? `${difference.found.dtype} ` : '';
    // names come from a file
    return [shorten(difference.name, 100), dtype + found, expected];
  });
  const lines = paddedTable([['tensor', 'in the file', 'in the model'], ...rows]).map((line) => `  ${line}`);
  const more = differences.length - rows.length;
  return [...lines, ...(more > 0 ? [`  … and ${more} more`] : [])].join('\n');
}

function shapeText(shape: Shape): string {
  const text = shape.slice(0, 8).join(', ');
  return `[${text}${shape.length > 8 ? ', …' : ''}]`;
}
