import { type Chosen, choose, type Preference } from './choose.js';
import { megabytes } from './device.js';
import { KernelError, OutOfMemoryError, ShapeError } from './errors.js';
import { type Lifetime, type MemoryPlan, place } from './place.js';
import { storeOp } from './store.js';
import {
  at,
  byteLength,
  type DeviceTraits,
  describe,
  type Node,
  type Operand,
  type Tensor,
} from './tensor.js';

/**
 * From rewritten nodes to a plan: which kernel runs each, where every value lies, and in which order things happen.
 * Nothing is allocated here.
 */

/** Where a tensor's bytes are: in an arena or host-fed buffer, or in the memory plan. */
export type Location =
  | { readonly kind: 'external'; readonly buffer: GPUBuffer; readonly offset: number; readonly bytes: number }
  | { readonly kind: 'planned'; readonly lifetime: number; readonly bytes: number };

/** One thing of a run, in order: a chosen kernel, or a copy into a variable that no kernel could write directly. */
export type Action =
  | { readonly kind: 'kernel'; readonly chosen: Chosen; readonly scratch: readonly Location[] }
  | { readonly kind: 'copy'; readonly label: string; readonly from: Tensor; readonly to: Tensor };

export interface Plan {
  readonly actions: readonly Action[];
  readonly memory: MemoryPlan;
  locate(tensor: Tensor): Location;
}

/** @param leaves where inputs, constants and variables are @param keep values that are read after the run */
export function planMemory(
  nodes: readonly Node[],
  keep: ReadonlySet<Tensor>,
  leaves: ReadonlyMap<Tensor, Location>,
  {
    traits,
    maxBufferBytes,
    preference,
  }: { traits: DeviceTraits; maxBufferBytes: number; preference: Preference },
): Plan {
  const roots = new Map<Tensor, Tensor>();
  const rootOf = (tensor: Tensor): Tensor => roots.get(tensor) ?? tensor;
  for (const node of nodes) {
    if (node.op.alias) roots.set(at(node.outputs, 0), rootOf(at(node.inputs, 0)));
  }

  const pinned = pinStores(nodes, keep, rootOf, leaves);
  const lifetimes: { bytes: number; from: number; to: number; apart: Set<number> }[] = [];
  const planned = new Map<Tensor, number>();
  const addLifetime = (bytes: number, from: number, to: number, name: string) => {
    if (bytes > traits.maxBindingBytes) {
      throw new OutOfMemoryError(
        `${name} needs ${megabytes(bytes)} at once, this adapter binds at most ${megabytes(traits.maxBindingBytes)}: ` +
          'use a smaller batch or image',
      );
    }
    return lifetimes.push({ bytes, from, to, apart: new Set() }) - 1;
  };
  const locate = (tensor: Tensor): Location => {
    const root = rootOf(tensor);
    const external = leaves.get(root) ?? pinned.places.get(root);
    if (external) return external;
    const lifetime = planned.get(root);
    if (lifetime === undefined)
      throw new ShapeError(`a tensor ${describe(tensor)} is used before it is computed`);
    return { kind: 'planned', lifetime, bytes: byteLength(tensor) };
  };

  const actions: Action[] = [];
  for (const [time, node] of nodes.entries()) {
    if (node.op.alias) continue;
    for (const input of node.inputs) {
      const location = locate(input);
      if (location.kind === 'planned') at(lifetimes, location.lifetime).to = time;
    }
    if (node.op === (storeOp as typeof node.op)) {
      if (!pinned.nodes.has(node)) {
        if (sharesBuffer(locate(at(node.inputs, 0)), locate(at(node.inputs, 1)))) {
          throw new ShapeError(
            `${node.label}: a variable cannot be stored into its own arena without a computation`,
          );
        }
        actions.push({ kind: 'copy', label: node.label, from: at(node.inputs, 0), to: at(node.inputs, 1) });
      }
      continue;
    }
    const chosen = choose(node, traits, preference);
    for (const output of node.outputs) {
      if (pinned.places.has(output)) continue;
      planned.set(output, addLifetime(byteLength(output), time, time, `${node.label} ${describe(output)}`));
    }
    const scratch = chosen.kernel.scratch.map((need): Location => {
      const bytes = need.kind === 'buffer' ? need.bytes : 0;
      const lifetime =
        need.kind === 'buffer' ? addLifetime(bytes, time, time, `scratch of ${node.label}`) : -1;
      return { kind: 'planned', lifetime, bytes };
    });
    actions.push({ kind: 'kernel', chosen, scratch });
    keepApart(chosen, scratch, locate, lifetimes);
  }
  for (const tensor of keep) {
    const location = locate(tensor);
    if (location.kind === 'planned') at(lifetimes, location.lifetime).to = nodes.length;
  }
  const memory = place(lifetimes as Lifetime[], 256, maxBufferBytes);
  return { actions, memory, locate };
}

/**
 * Finds the stores whose value can be computed in place: it comes from a kernel, is stored once, nothing between that
 * kernel and the store reads the arena it goes to (the kernel itself included: a dispatch may not read and write one
 * buffer), and nothing else changes those bytes while the value is still wanted.
 */
function pinStores(
  nodes: readonly Node[],
  keep: ReadonlySet<Tensor>,
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
  const kept = new Set([...keep].map(rootOf));
  for (const [time, node] of nodes.entries()) {
    if (node.op !== (storeOp as typeof node.op)) continue;
    const value = rootOf(at(node.inputs, 0));
    const target = at(node.inputs, 1);
    const start = writtenAt.get(value);
    const location = leaves.get(target);
    if (start === undefined || !location || location.kind !== 'external' || stores.get(value) !== 1) continue;
    if (location.bytes !== byteLength(value)) continue;
    const between = nodes.slice(start, time).filter((other) => other.op !== node.op);
    const read = between.some((other) =>
      other.inputs.some((input) => {
        const place = leaves.get(rootOf(input));
        return place?.kind === 'external' && place.buffer === location.buffer;
      }),
    );
    if (read) continue;
    // A kernel that reads a value pinned to this buffer must not write to it as well.
    const writer = at(nodes, start);
    if (writer.inputs.some((input) => sharesBuffer(places.get(rootOf(input)), location))) continue;
    const readers = nodes.filter((other) => other.inputs.some((input) => rootOf(input) === value));
    if (readers.some((other) => other.outputs.some((output) => sharesBuffer(places.get(output), location))))
      continue;
    const lastUse = kept.has(value)
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

function sharesBuffer(a: Location | undefined, b: Location): boolean {
  return a?.kind === 'external' && b.kind === 'external' && a.buffer === b.buffer;
}

function overlaps(a: Location | undefined, b: Location): boolean {
  return (
    a?.kind === 'external' &&
    b.kind === 'external' &&
    a.buffer === b.buffer &&
    a.offset < b.offset + b.bytes &&
    b.offset < a.offset + a.bytes
  );
}

/** Records, dispatch by dispatch, which values must not share a buffer: what is read and what is written. */
function keepApart(
  chosen: Chosen,
  scratch: readonly Location[],
  locate: (tensor: Tensor) => Location,
  lifetimes: readonly { apart: Set<number> }[],
): void {
  const { node, kernel } = chosen;
  for (const step of kernel.steps) {
    if (step.kind !== 'dispatch') continue;
    const places = step.bindings
      .filter((binding) => binding.access !== 'texture')
      .map((binding) => ({ access: binding.access, place: resolve(binding.operand, node, scratch, locate) }));
    const reads = places.filter(({ access }) => access === 'read').map(({ place }) => place);
    const writes = places.filter(({ access }) => access === 'read_write').map(({ place }) => place);
    for (const read of reads) {
      for (const write of writes) {
        if (read.kind === 'planned' && write.kind === 'planned') {
          if (read.lifetime === write.lifetime)
            throw new KernelError(`${node.label}: a value is read and written at once`);
          lifetimes[read.lifetime]?.apart.add(write.lifetime);
          lifetimes[write.lifetime]?.apart.add(read.lifetime);
        } else if (sharesBuffer(read, write)) {
          throw new KernelError(`${node.label}: one dispatch would read and write the same arena`);
        }
      }
    }
  }
}

/** The place of a kernel operand. */
export function resolve(
  operand: Operand,
  node: Node,
  scratch: readonly Location[],
  locate: (tensor: Tensor) => Location,
): Location {
  if (operand.kind === 'scratch') return at(scratch, operand.index);
  return locate(at(operand.kind === 'input' ? node.inputs : node.outputs, operand.index));
}
