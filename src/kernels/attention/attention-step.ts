import type { Binding, Operand, Problem } from '../../engine/graph/tensor.js';
import { at } from '../../engine/graph/tensor.js';
import { type StorageType, storageType } from '../common/storage-type.js';
import { type AttentionGeometry, placeRows, type Rows, type RowsPlace } from './attention-geometry.js';
import { type AttentionPass, rowsRead } from './attention-pass.js';

/** One pass of an attention op, with its operands named: what every kernel family is given. */
export interface PassProblem {
  readonly pass: AttentionPass;
  readonly geometry: AttentionGeometry;
  /** The operands that the pass reads. */
  readonly rows: ReadonlyMap<Rows, RowsPlace>;
  /** Where each of the pass's sums goes. */
  readonly results: readonly ResultPlace[];
  /** log Σ exp of each query's scores, [n, heads, queries]: written forward, read backward. */
  readonly lse: Operand;
  /** dy·y of each query, of the same shape; in a backward pass. */
  readonly delta: Operand | undefined;
  /** How many keys each image has, where not all. */
  readonly lengths: Operand | undefined;
}

export interface ResultPlace {
  readonly operand: Operand;
  /** Values from one token to the next, and before a token's first. */
  readonly stride: number;
  readonly offset: number;
  readonly stored: RowsPlace['stored'];
}

/** Operands of the two ops: forward (rows, lengths?), backward (dy, y, lse, rows, lengths?). */
export const BACKWARD_FIRST = 3;

export function passProblem(
  problem: Problem<AttentionGeometry>,
  pass: AttentionPass,
  results: readonly ResultPlace[],
  delta?: Operand,
): PassProblem {
  const { inputs, attributes } = problem;
  const backward = pass.slopes !== undefined;
  const first = backward ? BACKWARD_FIRST : 0;
  const place = (name: Rows): RowsPlace =>
    name === 'dy'
      ? { input: 0, stride: attributes.heads * attributes.width, offset: 0, stored: at(inputs, 0) }
      : placeRows(problem, name, first);
  return {
    pass,
    geometry: attributes,
    rows: new Map(rowsRead(pass).map((name) => [name, place(name)])),
    results,
    lse: backward ? { kind: 'input', index: 2 } : { kind: 'output', index: 1 },
    delta,
    lengths: attributes.masked ? { kind: 'input', index: inputs.length - 1 } : undefined,
  };
}

/** Rows and columns of the pass. */
export function extent({ pass, geometry: { queries, keys } }: PassProblem): {
  rows: number;
  columns: number;
} {
  return pass.rowsAre === 'queries' ? { rows: queries, columns: keys } : { rows: keys, columns: queries };
}

/** WGSL of how many rows and columns an image has. */
export function sizeNames({ pass }: PassProblem): { rowSize: string; columnSize: string } {
  return pass.rowsAre === 'queries'
    ? { rowSize: 'dims.queries', columnSize: 'dims.keys' }
    : { rowSize: 'dims.keys', columnSize: 'dims.queries' };
}

/** WGSL: whether the query of a row and a column sees the key. Rows and columns may lie beyond the image. */
export function seen({ pass, geometry }: PassProblem, row: string, column: string): string {
  const byQueries = pass.rowsAre === 'queries';
  const [query, key] = byQueries ? [row, column] : [column, row];
  const inside = byQueries ? `${key} < limit` : `${key} < limit && ${query} < dims.queries`;
  return geometry.causal ? `${inside} && ${key} <= ${query}` : inside;
}

/** WGSL of the columns that a unit of `rows` rows from `first` on goes through, in blocks: those that it sees any of. */
export function columnSpan(
  { pass, geometry }: PassProblem,
  rows: number,
  block: number,
): { begin: string; end: string } {
  const byQueries = pass.rowsAre === 'queries';
  if (!geometry.causal) return { begin: '0u', end: byQueries ? 'limit' : 'dims.queries' };
  return byQueries
    ? { begin: '0u', end: `min(limit, first + ${rows}u)` }
    : { begin: `first / ${block}u * ${block}u`, end: 'dims.queries' };
}

/** Sizes and places as data, so that a network of one head width compiles each pass once. */
export function passDims({ geometry, rows, results }: PassProblem, unit: 1 | 4): Record<string, number> {
  const { queries, keys, heads, width } = geometry;
  return {
    queries,
    keys,
    heads,
    width: width / unit,
    ...Object.fromEntries(
      [...rows].flatMap(([name, { stride, offset }]) => [
        [`${name}Stride`, stride / unit],
        [`${name}Offset`, offset / unit],
      ]),
    ),
    ...Object.fromEntries(
      results.flatMap(({ stride, offset }, i) => [
        [`result${i}Stride`, stride / unit],
        [`result${i}Offset`, offset / unit],
      ]),
    ),
  };
}

/** The bindings of everything but the rows that are read. */
export function otherBindings({ lse, delta, lengths, results }: PassProblem, unit: 1 | 4): Binding[] {
  const backward = delta !== undefined;
  return [
    { name: 'lse', operand: lse, access: backward ? 'read' : 'read_write', type: 'f32' },
    ...(delta ? [{ name: 'delta', operand: delta, access: 'read', type: 'f32' } as const] : []),
    ...(lengths ? [{ name: 'lengths', operand: lengths, access: 'read', type: 'u32' } as const] : []),
    ...resultBindings(results, unit),
  ];
}

/** Results that are parts of one tensor are bound once. */
function resultBindings(results: readonly ResultPlace[], unit: 1 | 4): Binding[] {
  const bindings: Binding[] = [];
  for (const { operand, stored } of results) {
    const name = resultName(operand);
    if (bindings.some((known) => known.name === name)) continue;
    bindings.push({ name, operand, access: 'read_write', type: storageType(stored, unit) });
  }
  return bindings;
}

export function resultName({ index }: Operand): string {
  return `result${index}`;
}

/** WGSL that stores `value` at value (or four) number `index` of the head's row of token `token`. */
export function storeResult(
  { results }: PassProblem,
  i: number,
  token: string,
  index: string,
  value: string,
  unit: 1 | 4,
): string {
  const { operand, stored } = at(results, i);
  const type: StorageType = storageType(stored, unit);
  return `${resultName(operand)}[(${token}) * dims.result${i}Stride + dims.result${i}Offset + head * dims.width + ${index}] = ${type}(${value});`;
}

/** Rows of a pass as buffers, each buffer bound once: bindings, and the WGSL that loads value (or four) `index` of a head's row. */
export function bufferRows(
  { rows }: PassProblem,
  unit: 1 | 4,
): { bindings: Binding[]; load: (name: Rows, token: string, index: string) => string } {
  const bindings: Binding[] = [];
  for (const { input, stored } of rows.values()) {
    const name = `rows${input}`;
    if (bindings.some((known) => known.name === name)) continue;
    bindings.push({
      name,
      operand: { kind: 'input', index: input },
      access: 'read',
      type: storageType(stored, unit),
    });
  }
  const wide = unit === 4 ? 'vec4f' : 'f32';
  return {
    bindings,
    load: (name, token, index) =>
      `${wide}(rows${rows.get(name)?.input}[(${token}) * dims.${name}Stride + dims.${name}Offset + ${index}])`,
  };
}

/** WGSL: how many keys image `n` has. */
export function keyLimit({ lengths }: PassProblem): string {
  return lengths ? 'min(lengths[n], dims.keys)' : 'dims.keys';
}

/** Below every score, and not an infinity, which WGSL compilers may assume away. */
export const LOWEST = '-3.0e38';
