import { type ArenaLayout, RANGE_ALIGNMENT } from '../../engine/arena.js';
import { ShapeError } from '../../engine/errors.js';

/** Parameters that share a learning rate and a weight decay: a backbone, a head, biases without decay… */
export interface ParameterGroup {
  /** Whether a parameter, by its name in the arena, belongs here. */
  readonly matches: (name: string) => boolean;
  /** Times the step's learning rate; 0 keeps the parameters where they are. */
  readonly learningRateScale: number;
  /** λ: decoupled in AdamW, an L2 term of the gradient in SGD. */
  readonly weightDecay: number;
}

/**
 * The optimizers' `table`: learning-rate scale and weight decay of each block of `RANGE_ALIGNMENT` elements, one [blocks, 2] array a
 * shard, in the order of the shards. A parameter belongs to the first group that matches its name.
 *
 * Throws `ShapeError` naming a parameter that no group matches, so that none is trained or frozen by oversight, and
 * `RangeError` for a scale or decay that is negative or not finite.
 */
export function buildDecayTable(layout: ArenaLayout, groups: readonly ParameterGroup[]): Float32Array[] {
  for (const [i, { learningRateScale, weightDecay }] of groups.entries()) {
    for (const [name, value] of Object.entries({ learningRateScale, weightDecay })) {
      if (!(value >= 0 && Number.isFinite(value))) {
        throw new RangeError(`parameter group ${i}: ${name} must be finite and not negative, got ${value}`);
      }
    }
  }
  const tables = layout.shards.map((elements) => new Float32Array((elements / RANGE_ALIGNMENT) * 2));
  for (const { name, shard, offset, length } of layout.ranges.values()) {
    const group = groups.find(({ matches }) => matches(name));
    if (!group) throw new ShapeError(`no parameter group matches "${name}"`);
    const first = offset / RANGE_ALIGNMENT;
    const last = first + Math.ceil(length / RANGE_ALIGNMENT);
    for (let block = first; block < last; block++) {
      tables[shard]?.set([group.learningRateScale, group.weightDecay], block * 2);
    }
  }
  return tables;
}
