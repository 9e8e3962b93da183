import type { ArenaPlan, ArenaShard } from '../arena.js';
import { KernelError, ShapeError } from '../errors.js';
import { byteLength, describe, type Part, type Tensor } from '../graph/tensor.js';

/** Where a tensor's bytes are, as the plan says it: only arenas may exist already. */
export type Location =
  /** A range of an arena. */
  | { readonly kind: 'arena'; readonly shard: ArenaShard; readonly offset: number; readonly bytes: number }
  /** An input or a constant: a buffer of its own, number `index` of the plan's `leaves`. */
  | { readonly kind: 'leaf'; readonly index: number; readonly offset: number; readonly bytes: number }
  /** Lifetime number `lifetime` of the memory plan, from `offset` on. */
  | { readonly kind: 'planned'; readonly lifetime: number; readonly offset: number; readonly bytes: number }
  /** Ranges of rows one behind the other, each with a place of its own: the value is too large for one binding. */
  | { readonly kind: 'pieces'; readonly pieces: readonly Piece[]; readonly bytes: number }
  /** Need number `index` of the plan's scratch textures. */
  | { readonly kind: 'texture'; readonly index: number };

export type PlannedLocation = Location & { readonly kind: 'planned' };

export interface Piece {
  /** In the bytes of the whole. */
  readonly offset: number;
  readonly place: PlannedLocation;
}

/** The places of a value, in the order of its bytes. */
export function piecesOf(location: Location): readonly Location[] {
  return location.kind === 'pieces' ? location.pieces.map(({ place }) => place) : [location];
}

/** The place of a part of a value. */
export function locatePart(location: Location, part: Part | undefined): Location {
  if (!part || location.kind === 'texture') return location;
  if (location.kind !== 'pieces') {
    return { ...location, offset: location.offset + part.offset, bytes: part.bytes };
  }
  const piece = location.pieces.find(
    ({ offset, place }) => offset === part.offset && place.bytes === part.bytes,
  );
  if (!piece)
    throw new KernelError(`bytes ${part.offset} to ${part.offset + part.bytes} are no piece of a value`);
  return piece.place;
}

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
      places.set(tensor, { kind: 'leaf', index: leaves.push(tensor) - 1, offset: 0, bytes });
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
