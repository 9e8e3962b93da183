import { formatByteSize } from '../../text/byte-size.js';
import type { ArenaPlan } from '../arena.js';
import type { Chosen } from '../choose/choose.js';
import { KernelError, OutOfMemoryError, ShapeError } from '../errors.js';
import { rowsPart } from '../graph/rows.js';
import {
  at,
  type Binding,
  byteLength,
  type DeviceTraits,
  describe,
  type Node,
  type Operand,
  type Part,
  type Scratch,
  type Tensor,
} from '../graph/tensor.js';
import { DimsBuffer } from '../run/dims-buffer.js';
import { storeOp } from '../store.js';
import {
  type Location,
  locateLeaves,
  locatePart,
  type PlannedLocation,
  piecesOf,
  sharesBuffer,
} from './location.js';
import { pinStores } from './pin-stores.js';
import { type Lifetime, type MemoryPlan, place } from './place.js';
import { placeTextures, type TextureNeed, type TexturePlan, textureBytes } from './place-textures.js';

/**
 * From rewritten nodes to a plan: which kernel runs each, where every value lies, and in which order things happen.
 * Nothing is allocated here, so that several plans can be compared.
 */

/** One thing of a run, in order: a chosen kernel, or a copy into a variable that no kernel could write directly. */
export type Action =
  | { readonly kind: 'kernel'; readonly chosen: Chosen; readonly scratch: readonly Location[] }
  | { readonly kind: 'copy'; readonly label: string; readonly from: Tensor; readonly to: Tensor };

export interface Plan {
  readonly actions: readonly Action[];
  readonly memory: MemoryPlan;
  readonly textures: TexturePlan;
  /** Inputs and constants, each with a buffer of its own. */
  readonly leaves: readonly Tensor[];
  readonly bytes: PlannedBytes;
  /** The values that are computed twice to fit a memory budget; absent where all fits. */
  readonly recomputation?: Recomputation;
  locate(tensor: Tensor): Location;
  /** The tensor whose bytes another shows under another shape: itself, where it shows none. */
  root(tensor: Tensor): Tensor;
}

/** Values that are computed twice instead of staying in memory, see fit-plan.ts. */
export interface Recomputation {
  /** How many, of how many that could be. */
  readonly recomputed: number;
  readonly candidates: number;
  /** Floating-point operations of a run, and those of them that are done a second time. */
  readonly flops: number;
  readonly extraFlops: number;
  /** How much more the program would take without. */
  readonly savedBytes: number;
}

/** The memory of a program on the device, known before anything is allocated. */
export interface PlannedBytes {
  /** Of all arenas that were given, which outlive the program. */
  readonly arenas: number;
  /** Inputs, constants, and the sizes that kernels are told. */
  readonly leaves: number;
  readonly intermediates: number;
  readonly textures: number;
  /** All of these. */
  readonly total: number;
}

export interface PlanOptions {
  /** Values that are read after the run. */
  readonly results: ReadonlySet<Tensor>;
  /** Inputs of the program, whether an op reads them or not. */
  readonly inputs: readonly Tensor[];
  readonly arenas: Readonly<Record<string, ArenaPlan>>;
  readonly traits: DeviceTraits;
  readonly choose: (node: Node) => Chosen;
}

/** @throws OutOfMemoryError, KernelError, ShapeError */
export function planMemory(nodes: readonly Node[], options: PlanOptions): Plan {
  const { results, inputs, arenas, traits, choose } = options;
  const rootOf = findRoots(nodes);
  const known = locateLeaves([...results, ...inputs, ...nodes.flatMap((node) => node.inputs)], arenas);
  const pinned = pinStores(nodes, results, rootOf, known.places);
  const clock = new Clock();
  const planned = new Map<Tensor, Location>();
  const locate = (tensor: Tensor): Location => {
    const root = rootOf(tensor);
    const location = known.places.get(root) ?? pinned.places.get(root) ?? planned.get(root);
    if (!location) throw new ShapeError(`a tensor ${describe(tensor)} is used before it is computed`);
    return location.kind === 'planned' ? { ...location, bytes: byteLength(tensor) } : location;
  };
  const bindable = (place: Location, node: Node, operand: Operand): Location => {
    if (place.kind !== 'texture' && place.bytes > traits.maxBindingBytes) {
      throw tooLarge(nameOf(operand, node), place.bytes, traits);
    }
    return place;
  };

  const actions: Action[] = [];
  for (const node of nodes) {
    if (node.op.alias || pinned.nodes.has(node)) continue;
    if (node.op === (storeOp as typeof node.op)) {
      actions.push(copyAction(node, locate));
      clock.tick(node.inputs.map(locate));
      continue;
    }
    const chosen = choose(node);
    for (const output of node.outputs) {
      if (pinned.places.has(output)) continue;
      const bytes = byteLength(output);
      const pieces = bytes > traits.maxBindingBytes ? chosen.ranges : undefined;
      planned.set(
        output,
        pieces ? clock.addPieces(pieces.map((range) => rowsPart(output, range))) : clock.addBuffer(bytes),
      );
    }
    const scratch = chosen.kernel.scratch.map((need) =>
      need.kind === 'texture' ? clock.addTexture(need) : clock.addBuffer(need.bytes),
    );
    actions.push({ kind: 'kernel', chosen, scratch });
    for (const step of chosen.kernel.steps) {
      const place = (operand: Operand) => resolve(operand, node, scratch, locate);
      if (step.kind === 'texture-copy') {
        clock.tick([place(step.from), at(scratch, step.to)]);
        continue;
      }
      const uses: readonly Pick<Binding, 'access' | 'operand'>[] =
        step.kind === 'dispatch'
          ? step.bindings
          : [
              { access: 'read', operand: step.from },
              { access: 'read_write', operand: step.to },
            ];
      const bound = uses.map(({ access, operand }) => ({
        access,
        place: bindable(place(operand), node, operand),
      }));
      clock.tick(bound.map((binding) => binding.place));
      keepApart(node, bound, clock.buffers);
    }
  }
  clock.tick([...results].map(locate));
  const memory = place(clock.buffers, 256, traits.maxBufferBytes);
  const { places, sizes } = placeTextures(clock.textures);
  const kernels = actions.flatMap((action) => (action.kind === 'kernel' ? [action.chosen.kernel] : []));
  const parts = {
    arenas: sum(Object.values(arenas).map(({ bytes }) => bytes)),
    leaves: sum(known.leaves.map(byteLength)) + DimsBuffer.bytesFor(kernels),
    intermediates: sum(memory.buffers),
    textures: sum(sizes.map(textureBytes)),
  };
  return {
    actions,
    memory,
    textures: { places, sizes },
    leaves: known.leaves,
    bytes: { ...parts, total: sum(Object.values(parts)) },
    locate,
    root: rootOf,
  };
}

/**
 * Counts the steps of a run, one after another, and notes from which to which each value is alive. Time goes by steps,
 * not by ops: a value that an op needs in its first step only may lie where its last step writes.
 */
class Clock {
  readonly buffers: (Mutable<Lifetime> & { readonly apart: Set<number> })[] = [];
  readonly textures: Mutable<TextureNeed>[] = [];
  #now = 0;

  /** Something alive from the first step that touches it to the last. */
  addBuffer(bytes: number): PlannedLocation {
    const lifetime = this.buffers.push({ bytes, from: UNTOUCHED, to: this.#now, apart: new Set() }) - 1;
    return { kind: 'planned', lifetime, offset: 0, bytes };
  }

  /** One value in several pieces, each alive on its own. */
  addPieces(parts: readonly Part[]): Location {
    const pieces = parts.map(({ offset, bytes }) => ({ offset, place: this.addBuffer(bytes) }));
    return { kind: 'pieces', pieces, bytes: sum(parts.map(({ bytes }) => bytes)) };
  }

  addTexture({ width, height, format = 'rgba32float' }: Scratch & { kind: 'texture' }): Location {
    return {
      kind: 'texture',
      index: this.textures.push({ width, height, format, from: UNTOUCHED, to: this.#now }) - 1,
    };
  }

  /** The next step, which uses the values at these places. */
  tick(places: readonly Location[]): void {
    for (const place of places.flatMap(piecesOf)) {
      const life =
        place.kind === 'planned'
          ? this.buffers[place.lifetime]
          : place.kind === 'texture'
            ? this.textures[place.index]
            : undefined;
      if (!life) continue;
      life.from = Math.min(life.from, this.#now);
      life.to = this.#now;
    }
    this.#now++;
  }
}

const UNTOUCHED = Number.MAX_SAFE_INTEGER;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** @returns the tensor whose bytes another shows: itself, unless it comes from an alias such as a reshape */
export function findRoots(nodes: readonly Node[]): (tensor: Tensor) => Tensor {
  const roots = new Map<Tensor, Tensor>();
  const rootOf = (tensor: Tensor): Tensor => roots.get(tensor) ?? tensor;
  for (const node of nodes) {
    if (node.op.alias) roots.set(at(node.outputs, 0), rootOf(at(node.inputs, 0)));
  }
  return rootOf;
}

/** The place of a kernel operand. */
export function resolve(
  operand: Operand,
  node: Node,
  scratch: readonly Location[],
  locate: (tensor: Tensor) => Location,
): Location {
  const { kind, index, part } = operand;
  const whole =
    kind === 'scratch'
      ? at(scratch, index)
      : locate(at(kind === 'input' ? node.inputs : node.outputs, index));
  return locatePart(whole, part);
}

function nameOf({ kind, index }: Operand, { label, inputs, outputs }: Node): string {
  if (kind === 'scratch') return `scratch of ${label}`;
  return nameTensor(at(kind === 'input' ? inputs : outputs, index));
}

/** For messages. */
export function nameTensor(tensor: Tensor): string {
  const { source } = tensor;
  const name =
    source.kind === 'op'
      ? source.node.label
      : source.kind === 'input'
        ? `input "${source.name}"`
        : source.kind;
  return `${name} ${describe(tensor)}`;
}

/** @param but why it is not computed in rows */
export function tooLarge(
  name: string,
  bytes: number,
  { maxBindingBytes }: DeviceTraits,
  but = '',
): OutOfMemoryError {
  return new OutOfMemoryError(
    `${name} needs ${formatByteSize(bytes)} at once, this adapter binds at most ${formatByteSize(maxBindingBytes)}${but}: ` +
      'use a smaller batch or image',
  );
}

function copyAction(node: Node, locate: (tensor: Tensor) => Location): Action {
  const [from, to] = [at(node.inputs, 0), at(node.inputs, 1)];
  if (sharesBuffer(locate(from), locate(to))) {
    throw new ShapeError(
      `${node.label}: a variable cannot be stored into its own arena without a computation`,
    );
  }
  return { kind: 'copy', label: node.label, from, to };
}

/** Records the values that must not share a buffer: one dispatch reads one of them and writes the other. */
function keepApart(
  node: Node,
  bound: readonly { readonly access: Binding['access']; readonly place: Location }[],
  lifetimes: readonly { readonly apart: Set<number> }[],
): void {
  for (const { place: read } of bound.filter(({ access }) => access === 'read')) {
    for (const { place: write } of bound.filter(({ access }) => access === 'read_write')) {
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

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
