import { at, type Problem, type TensorSpec } from '../../engine/graph/tensor.js';

/** The sizes of one attention, and where its operands lie. */
export interface AttentionGeometry {
  /** Images or texts. */
  readonly n: number;
  readonly queries: number;
  readonly keys: number;
  readonly heads: number;
  /** Values of a head; a multiple of 4 where they are read in fours. */
  readonly width: number;
  /** What the products of queries and keys are multiplied with. */
  readonly scale: number;
  /** Whether query i sees keys 0 … i only. */
  readonly causal: boolean;
  /** Whether queries, keys and values are the three thirds of one operand [n, l, 3 · heads · width]. */
  readonly packed: boolean;
  /** Whether the last operand says how many keys each image has, [n] u32. */
  readonly masked: boolean;
}

/** The operands that hold rows of a head's values, by the names that the formulas give them. */
export type Rows = 'q' | 'k' | 'v' | 'dy';

/** One of them in memory. */
export interface RowsPlace {
  /** Number of the op's input. */
  readonly input: number;
  /** Values from one token to the next. */
  readonly stride: number;
  /** Values before a token's first. */
  readonly offset: number;
  readonly stored: TensorSpec;
}

/**
 * Where the rows lie.
 * @param first number of the first input that holds queries, keys or values; a backward op has others before it
 */
export function placeRows(
  { inputs, attributes }: Problem<AttentionGeometry>,
  name: Exclude<Rows, 'dy'>,
  first: number,
): RowsPlace {
  const { heads, width, packed } = attributes;
  const number = { q: 0, k: 1, v: 2 }[name];
  const input = packed ? first : first + number;
  const stored = at(inputs, input);
  return packed
    ? { input, stored, stride: 3 * heads * width, offset: number * heads * width }
    : { input, stored, stride: heads * width, offset: 0 };
}
