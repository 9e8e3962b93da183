import { at, byteLength, type Node, type Tensor } from '../graph/tensor.js';
import { storeOp } from '../store.js';
import { type Location, sharesBuffer } from './location.js';

/**
 * Finds the stores whose value can be computed in place: it comes from a kernel, is stored once, nothing between that
 * kernel and the store reads the arena it goes to (the kernel itself included: a dispatch may not read and write one
 * buffer), and nothing else changes those bytes while the value is still wanted.
 *
 * @param rootOf the tensor whose bytes an alias shows @param leaves where inputs, constants and variables are
 * @returns where such values lie, and the stores that have nothing left to do
 */
export function pinStores(
  nodes: readonly Node[],
  results: ReadonlySet<Tensor>,
  rootOf: (tensor: Tensor) => Tensor,
  leaves: ReadonlyMap<Tensor, Location>,
): { places: Map<Tensor, Location>; nodes: Set<Node> } {
  const places = new Map<Tensor, Location>();
  const pinnedNodes = new Set<Node>();
  const writtenAt = new Map<Tensor, number>();
  const stores = new Map<Tensor, number>();
  for (const [time, node] of nodes.entries()) {
    if (!node.op.alias) for (const output of node.outputs) writtenAt.set(output, time);
    if (node.op !== (storeOp as typeof node.op)) continue;
    const value = rootOf(at(node.inputs, 0));
    stores.set(value, (stores.get(value) ?? 0) + 1);
  }
  const changes = nodes.flatMap((node, time) =>
    (node.op.mutates ?? []).map((index) => ({ node, time, place: leaves.get(at(node.inputs, index)) })),
  );
  const readAfter = new Set([...results].map(rootOf));
  for (const [time, node] of nodes.entries()) {
    if (node.op !== (storeOp as typeof node.op)) continue;
    const value = rootOf(at(node.inputs, 0));
    const target = at(node.inputs, 1);
    const start = writtenAt.get(value);
    const location = leaves.get(target);
    if (start === undefined || location?.kind !== 'arena' || stores.get(value) !== 1) continue;
    if (location.bytes !== byteLength(value)) continue;
    const between = nodes.slice(start, time).filter((other) => other.op !== node.op);
    const readBetween = between.some((other) =>
      other.inputs.some((input) => sharesBuffer(leaves.get(rootOf(input)), location)),
    );
    if (readBetween) continue;
    // A kernel that reads a value pinned to this buffer must not write to it as well.
    const writer = at(nodes, start);
    if (writer.inputs.some((input) => sharesBuffer(places.get(rootOf(input)), location))) continue;
    const readers = nodes.filter((other) => other.inputs.some((input) => rootOf(input) === value));
    if (readers.some((other) => other.outputs.some((output) => sharesBuffer(places.get(output), location))))
      continue;
    const lastUse = readAfter.has(value)
      ? nodes.length
      : Math.max(...readers.map((other) => nodes.indexOf(other)));
    const rivals = changes.filter((other) => other.node !== node && overlaps(other.place, location));
    if (rivals.some((other) => other.node.op === node.op || (other.time > time && other.time <= lastUse)))
      continue;
    places.set(value, location);
    pinnedNodes.add(node);
  }
  return { places, nodes: pinnedNodes };
}

function overlaps(a: Location | undefined, b: Location): boolean {
  return (
    a?.kind === 'arena' &&
    b.kind === 'arena' &&
    a.shard === b.shard &&
    a.offset < b.offset + b.bytes &&
    b.offset < a.offset + a.bytes
  );
}
