import { problemOf } from '../choose/choose.js';
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
 */
export interface NodeCut {
  readonly cut: RowCut;
  readonly ranges: readonly RowRange[];
  /** Operands with ranges that begin where nothing can be bound: these are copied to or from a place where it can. */
  readonly copied: ReadonlySet<Tensor>;
}

/**
 * @param nodes after all other rewrites
 * @returns the nodes that must be computed in ranges of rows
 * @throws OutOfMemoryError where an op cannot compute a tensor that is too large so, or where a single row is too large
 */
export function cutRows(nodes: readonly Node[], traits: DeviceTraits): Map<Node, NodeCut> {
  const rootOf = findRoots(nodes);
  const isLarge = (tensor: Tensor) => byteLength(tensor) > traits.maxBindingBytes;
  const cuts = new Map<Node, NodeCut>();
  for (const group of groupsOf(nodes, (tensor) => (isLarge(tensor) ? rootOf(tensor) : undefined))) {
    const members = group.map((node) => {
      const cut = node.op.rows?.(problemOf(node));
      const operands = cut ? rowOperands(node, cut) : [];
      const large = [...node.inputs, ...node.outputs].filter(isLarge);
      const whole = large.find((tensor) => !operands.includes(tensor));
      if (!cut || whole) {
        throw tooLarge(
          nameTensor(whole ?? at(large, 0)),
          byteLength(whole ?? at(large, 0)),
          traits,
          `, and ${node.label} cannot be computed in rows of it`,
        );
      }
      return { node, cut, operands };
    });
    const operands = [...new Set(members.flatMap((member) => member.operands))];
    // Computed pieces have places of their own; ranges of all else lie in the middle of something.
    const views = operands.filter((tensor) => !isLarge(tensor) || rootOf(tensor).source.kind !== 'op');
    const { ranges, copied } = rangesOf(operands, views, traits);
    for (const { node, cut } of members) cuts.set(node, { cut, ranges, copied });
  }
  return cuts;
}

/** The operands of which a range of rows is needed, or given. */
function rowOperands({ inputs, outputs }: Node, cut: RowCut): Tensor[] {
  return [...inputs.filter((_, i) => cut.inputs[i]), ...(cut.merge ? [] : outputs)];
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
  operands: readonly Tensor[],
  views: readonly Tensor[],
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
    if (aligned > most) copied.add(tensor);
    unit = Math.max(unit, aligned > most ? rowsTo(COPY_ALIGNMENT) : aligned);
  }
  if (unit > most) {
    const some = `, and ${unit} of its ${rows} rows are too large already`;
    throw tooLarge(nameTensor(largest), byteLength(largest), traits, some);
  }
  const units = Math.ceil(rows / unit);
  const count = Math.ceil(units / Math.floor(most / unit));
  const size = Math.ceil(units / count) * unit;
  const ranges = Array.from({ length: Math.ceil(rows / size) }, (_, i) => ({
    from: i * size,
    to: Math.min(rows, (i + 1) * size),
    of: rows,
  }));
  return { ranges, copied };
}

/** Bytes that the offset and the length of a copy from buffer to buffer are multiples of. */
const COPY_ALIGNMENT = 4;

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
