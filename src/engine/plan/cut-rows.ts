import { problemOf, ruleFits } from '../choose/choose.js';
import { type NodeCut, nodeOfRange } from '../choose/choose-in-rows.js';
import { rowCount } from '../graph/rows.js';
import {
  at,
  byteLength,
  type DeviceTraits,
  type Node,
  type RowCut,
  type RowRange,
  type Tensor,
} from '../graph/tensor.js';
import { findRoots, nameTensor, tooLarge } from './plan.js';

/**
 * Tensors that are larger than the adapter can bind are stored in pieces, which are ranges of their rows, and the ops that
 * touch one are computed piece by piece (choose-in-rows.ts). A piece has whole images: no op has to divide what it cannot.
 *
 * All ops that touch a tensor must cut it at the same places, so ops and large tensors that hang together form a group with
 * one list of ranges. Operands that are small enough stay whole; an op sees a range of their rows where it lies.
 *
 * An op is also cut, by itself, where its best kernel would need too large a place between its steps, such as for a copy of an
 * image with a border.
 *
 * @param nodes after all other rewrites
 * @returns the nodes that must be computed in ranges of rows
 * @throws OutOfMemoryError where an op cannot compute a tensor that is too large so, or where a single row is too large
 */
export function cutRows(nodes: readonly Node[], traits: DeviceTraits): Map<Node, NodeCut> {
  const rootOf = findRoots(nodes);
  const isLarge = (tensor: Tensor) => byteLength(tensor) > traits.maxBindingBytes;
  const cuts = new Map<Node, NodeCut>();
  const cutGroup = (members: readonly Member[]) => {
    const operands = [...new Set(members.flatMap(rowOperands))];
    // Computed pieces have places of their own; ranges of all else lie in the middle of something.
    const views = operands.filter((tensor) => !isLarge(tensor) || rootOf(tensor).source.kind !== 'op');
    const { ranges, copied } = rangesOf(members, { operands, views }, traits);
    if (ranges.length < 2) return;
    for (const { node, cut } of members) cuts.set(node, { cut, ranges, copied });
  };
  for (const group of groupsOf(nodes, (tensor) => (isLarge(tensor) ? rootOf(tensor) : undefined))) {
    cutGroup(group.map((node) => memberOf(node, isLarge, traits)));
  }
  for (const node of nodes) {
    if (cuts.has(node) || !mayOverflow(node, traits) || ruleFits(node, traits)) continue;
    const cut = node.op.rows?.(problemOf(node));
    if (cut) cutGroup([{ node, cut }]);
  }
  return cuts;
}

interface Member {
  readonly node: Node;
  readonly cut: RowCut;
}

/** @throws OutOfMemoryError where the node needs all of a large tensor */
function memberOf(node: Node, isLarge: (tensor: Tensor) => boolean, traits: DeviceTraits): Member {
  const cut = node.op.rows?.(problemOf(node));
  const operands = cut ? rowOperands({ node, cut }) : [];
  const whole = [...node.inputs, ...node.outputs].find(
    (tensor) => isLarge(tensor) && !operands.includes(tensor),
  );
  if (cut && !whole) return { node, cut };
  const tensor = whole ?? at(node.outputs, 0);
  const but = `, and ${node.label} cannot be computed in rows of it`;
  throw tooLarge(nameTensor(tensor), byteLength(tensor), traits, but);
}

/** The operands of which a range of rows is needed, or given. */
function rowOperands({ node: { inputs, outputs }, cut }: Member): Tensor[] {
  return [...inputs.filter((_, i) => cut.inputs[i]), ...(cut.merge ? [] : outputs)];
}

/** Times by which the memory between the steps of a kernel exceeds its operands at most, for a kernel that is worth asking. */
const MOST_OVERHEAD = 16;

/** Spares most nodes the making of a kernel only to see how much it needs. */
function mayOverflow({ op, inputs, outputs }: Node, { maxBindingBytes }: DeviceTraits): boolean {
  if (!op.rows || op.alias) return false;
  const operands = [...inputs, ...outputs].map(byteLength);
  return Math.max(...operands) > maxBindingBytes / MOST_OVERHEAD;
}

/** Nodes that touch large tensors, together where one tensor connects them. @param rootOf a large tensor's; else undefined */
function groupsOf(
  nodes: readonly Node[],
  rootOf: (tensor: Tensor) => Tensor | undefined,
): ReadonlySet<readonly Node[]> {
  const groups = new Map<Tensor, { readonly roots: Set<Tensor>; readonly nodes: Node[] }>();
  for (const node of nodes) {
    if (node.op.alias) continue;
    const roots = [...node.inputs, ...node.outputs].flatMap((tensor) => rootOf(tensor) ?? []);
    const met = new Set(roots.flatMap((root) => groups.get(root) ?? []));
    const group = {
      roots: new Set([...met].flatMap((other) => [...other.roots]).concat(roots)),
      nodes: [...met].flatMap((other) => other.nodes).concat(node),
    };
    for (const root of group.roots) groups.set(root, group);
  }
  return new Set([...groups.values()].map((group) => group.nodes));
}

/**
 * As few ranges as fit, of about the same size.
 * @param operands all that are cut @param views those that are seen through an offset, which must be one that can be bound
 */
function rangesOf(
  members: readonly Member[],
  { operands, views }: { readonly operands: readonly Tensor[]; readonly views: readonly Tensor[] },
  traits: DeviceTraits,
): Pick<NodeCut, 'ranges' | 'copied'> {
  const { maxBindingBytes, bindingAlignment } = traits;
  const rows = operands.reduce((divisor, { shape }) => greatestCommonDivisor(divisor, rowCount(shape)), 0);
  const largest = operands.reduce((a, b) => (byteLength(b) > byteLength(a) ? b : a));
  const most = Math.floor(maxBindingBytes / (byteLength(largest) / rows));
  const copied = new Set<Tensor>();
  let unit = 1;
  for (const tensor of views) {
    // Both alignments are powers of two.
    const rowsTo = (alignment: number) =>
      alignment / greatestCommonDivisor(alignment, byteLength(tensor) / rows);
    const aligned = rowsTo(bindingAlignment);
    const isCopied = aligned > Math.min(most, rows / 2);
    if (isCopied) copied.add(tensor);
    unit = Math.max(unit, isCopied ? rowsTo(COPY_ALIGNMENT) : aligned);
  }
  if (unit > most) {
    const but = `, and ${unit} of its ${rows} rows are too large already`;
    throw tooLarge(nameTensor(largest), byteLength(largest), traits, but);
  }
  const units = Math.ceil(rows / unit);
  const fits = (ranges: readonly RowRange[]) =>
    members.every(({ node, cut }) => ruleFits(nodeOfRange(node, cut, at(ranges, 0)), traits));
  const fewest = Math.ceil(units / Math.floor(most / unit));
  for (let count = fewest; count <= units; count++) {
    const ranges = divided(rows, unit, count);
    if (fits(ranges)) return { ranges, copied };
  }
  // A kernel that needs too much whatever the rows is passed over by the choice.
  return { ranges: divided(rows, unit, fewest), copied };
}

/** @param count of the ranges, or a little fewer @param unit rows that are not divided */
function divided(rows: number, unit: number, count: number): RowRange[] {
  const size = Math.ceil(rows / unit / count) * unit;
  return Array.from({ length: Math.ceil(rows / size) }, (_, i) => ({
    from: i * size,
    to: Math.min(rows, (i + 1) * size),
    of: rows,
  }));
}

/** Bytes that the offset and the length of a copy from buffer to buffer are multiples of. */
const COPY_ALIGNMENT = 4;

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
