/** What is said of a handful of timed rounds. */

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** @param values at least one */
export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const [low = Number.NaN, high = low] = [
    sorted[Math.floor((sorted.length - 1) / 2)],
    sorted[Math.ceil((sorted.length - 1) / 2)],
  ];
  return { median: (low + high) / 2, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}

/**
 * How many times faster `ours` is than `theirs`, round by round: what slows the machine down for a while slows both
 * halves of a round, so the ratio within a round is steadier than the ratio of two medians.
 */
export function speedup(ours: readonly number[], theirs: readonly number[]): Spread {
  const rounds = Math.min(ours.length, theirs.length);
  return spread(
    Array.from({ length: rounds }, (_, i) => (theirs[i] ?? Number.NaN) / (ours[i] ?? Number.NaN)),
  );
}
