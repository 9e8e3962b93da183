import { type ArenaLayout, RANGE_ALIGNMENT } from '../../engine/arena.js';
import { ShapeError } from '../../engine/errors.js';

/** What some parameters have in common in an optimizer's decay table: a backbone, a head, biases without decay… */
export interface DecayRule {
  /** Whether it is for a parameter, by its name in the arena. */
  readonly matches: (name: string) => boolean;
  /** Times the step's learning rate; 0 keeps the parameters where they are. */
  readonly learningRateScale: number;
  /** λ: decoupled in AdamW, an L2 term of the gradient in SGD. */
  readonly weightDecay: number;
}

/**
 * The decay table of an optimizer: learning-rate scale and weight decay of each block of `RANGE_ALIGNMENT` elements, one
 * [blocks, 2] array a shard, in the order of the shards. The first rule that matches a parameter's name counts.
 *
 * Throws `ShapeError` naming a parameter that no rule matches, so that none is trained or frozen by oversight, and
 * `RangeError` for a scale or decay that is negative or not finite.
 */
export function buildDecayTable(layout: ArenaLayout, rules: readonly DecayRule[]): Float32Array[] {
  for (const [i, { learningRateScale, weightDecay }] of rules.entries()) {
    for (const [name, value] of Object.entries({ learningRateScale, weightDecay })) {
      if (!(value >= 0 && Number.isFinite(value))) {
        throw new RangeError(`decay table, rule ${i}: ${name} must be finite and not negative, got ${value}`);
      }
    }
  }
  const tables = layout.shards.map((elements) => new Float32Array((elements / RANGE_ALIGNMENT) * 2));
  for (const { name, shard, offset, length } of layout.ranges.values()) {
    const rule = rules.find(({ matches }) => matches(name));
    if (!rule) throw new ShapeError(`no rule of the decay table matches "${name}"`);
    const first = offset / RANGE_ALIGNMENT;
    const last = first + Math.ceil(length / RANGE_ALIGNMENT);
    for (let block = first; block < last; block++) {
      tables[shard]?.set([rule.learningRateScale, rule.weightDecay], block * 2);
    }
  }
  return tables;
}
