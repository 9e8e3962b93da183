import type { ArenaPlan, ArenaShard } from '../arena.js';
import { ShapeError } from '../errors.js';
import { byteLength, describe, type Tensor } from '../graph/tensor.js';

/** Where a tensor's bytes are, as the plan says it: only arenas may exist already. */
export type Location =
  /** A range of an arena. */
  | { readonly kind: 'arena'; readonly shard: ArenaShard; readonly offset: number; readonly bytes: number }
  /** An input or a constant: a buffer of its own, number `index` of the plan's `leaves`. */
  | { readonly kind: 'leaf'; readonly index: number; readonly bytes: number }
  /** Lifetime number `lifetime` of the memory plan. */
  | { readonly kind: 'planned'; readonly lifetime: number; readonly bytes: number }
  /** Need number `index` of the plan's scratch textures. */
  | { readonly kind: 'texture'; readonly index: number };

export function sharesBuffer(a: Location | undefined, b: Location): boolean {
  return a?.kind === 'arena' && b.kind === 'arena' && a.shard === b.shard;
}

/**
 * Places of the tensors that no op computes: variables lie in their arenas, inputs and constants get buffers of their own.
 * @throws ShapeError if an arena is missing or has another size than the graph says
 */
export function locateLeaves(
  tensors: Iterable<Tensor>,
  arenas: Readonly<Record<string, ArenaPlan>>,
): { places: ReadonlyMap<Tensor, Location>; leaves: readonly Tensor[] } {
  const places = new Map<Tensor, Location>();
  const leaves: Tensor[] = [];
  for (const tensor of tensors) {
    const { source } = tensor;
    if (source.kind === 'op' || places.has(tensor)) continue;
    const bytes = byteLength(tensor);
    if (source.kind !== 'variable') {
      places.set(tensor, { kind: 'leaf', index: leaves.push(tensor) - 1, bytes });
      continue;
    }
    const arena = arenas[source.arena];
    if (!arena) throw new ShapeError(`no arena "${source.arena}" was given for variable "${source.name}"`);
    const range = arena.locate(source.name);
    if (range.bytes !== bytes) {
      throw new ShapeError(
        `${source.arena}/${source.name} is ${range.bytes} bytes, the graph wants ${describe(tensor)}`,
      );
    }
    places.set(tensor, { kind: 'arena', ...range });
  }
  return { places, leaves };
}
