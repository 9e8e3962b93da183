import type { DeviceTraits } from '../../engine/graph/tensor.js';

/** How the work of a fold (fold.ts) is divided among dispatches, workgroups and lanes. */

/** The three axes, `inner` or (where inner is 1) `size` in units of T. */
export interface FoldExtent {
  readonly outer: number;
  readonly size: number;
  readonly inner: number;
}

/**
 * `serial`: each lane walks its own chunk; right for software adapters, where barriers are dear. `tree`: the lanes of
 * a workgroup walk a chunk side by side and merge through workgroup memory; right for GPUs.
 */
export type FoldStyle = 'serial' | 'tree';

/** Lanes of a workgroup, and how many of them work on one result. */
export interface Cooperation {
  readonly lanes: number;
  readonly group: number;
}

export interface FoldDivision {
  /** Ranges that the size is cut into. Where there are several, a second dispatch merges their states. */
  readonly chunks: number;
  readonly first: Cooperation;
  readonly second: Cooperation;
}

export type DivisionTraits = Pick<DeviceTraits, 'maxWorkgroups' | 'maxInvocations' | 'residentGroups'>;

export function divideFold(
  { extent, width, style }: { extent: FoldExtent; width: 1 | 4; style: FoldStyle },
  traits: DivisionTraits,
  inOneDispatch: boolean,
): FoldDivision {
  if (style === 'serial') return serialDivision(extent, inOneDispatch);
  return treeDivision(extent, width, traits, inOneDispatch);
}

function serialDivision({ outer, size, inner }: FoldExtent, inOneDispatch: boolean): FoldDivision {
  const results = outer * inner;
  // Enough chunks to keep all lanes busy, long enough to be worth a second dispatch, and not too long for f32.
  const wanted = Math.max(Math.ceil(1024 / results), Math.ceil(size / 2048));
  const most = Math.max(1, Math.floor(size / 256));
  const chunks = inOneDispatch || size <= SERIAL_AT_ONCE ? 1 : Math.min(wanted, most);
  // Few lanes still have to be shared out among the cores, the lanes of one vector register together.
  const alone = (slots: number): Cooperation => ({ lanes: 1, group: slots < 512 ? 8 : 64 });
  return { chunks, first: alone(results * chunks), second: alone(results) };
}

/** Elements that one lane folds in about the time of a second dispatch on a software adapter (measured: 20–60 µs). */
const SERIAL_AT_ONCE = 2048;

/**
 * The cheapest of one dispatch and two. A dispatch takes about as long as the loads that one of its lanes makes one after
 * another, times the turns that its workgroups need where the device does not hold them all at once.
 */
function treeDivision(
  { outer, size, inner }: FoldExtent,
  width: 1 | 4,
  traits: DivisionTraits,
  inOneDispatch: boolean,
): FoldDivision {
  const group = Math.min(LARGEST_GROUP, 2 ** Math.floor(Math.log2(traits.maxInvocations)));
  const columns = Math.min(LARGEST_RUN, powerOfTwoFrom(inner));
  const results = outer * inner;
  const pass = (length: number, slots: number, leastColumns: number): Cooperation & { loads: number } => {
    const useful = powerOfTwoFrom(Math.ceil(length / LEAST_TERMS));
    const groupsOf = (lanes: number) => Math.ceil((slots * lanes) / group);
    let beside = columns;
    // Few results get more lanes each.
    while (
      beside > leastColumns &&
      group / beside < useful &&
      groupsOf(group / beside) < traits.residentGroups
    ) {
      beside /= 2;
    }
    const lanes = Math.min(group / beside, useful);
    const turns = Math.ceil(groupsOf(lanes) / traits.residentGroups);
    // Few lanes are spread over small workgroups.
    const own = groupsOf(lanes) < traits.residentGroups ? Math.max(SMALL_GROUP, lanes * beside) : group;
    return { lanes, group: Math.min(own, group), loads: Math.ceil(length / lanes) * turns };
  };
  const narrow = Math.min(columns, LEAST_RUN / width);
  let best: FoldDivision & { cost: number } = (() => {
    const only = pass(size, results, narrow);
    return { chunks: 1, first: only, second: only, cost: only.loads };
  })();
  if (inOneDispatch) return best;
  const cooperating = group / columns;
  const filling = Math.floor((traits.residentGroups * group) / (results * cooperating));
  const most = Math.floor(size / (cooperating * SHORTEST));
  const least = Math.ceil(size / (cooperating * LONGEST));
  if (least > 1) best = { ...best, cost: Number.POSITIVE_INFINITY };
  for (const wanted of [filling, filling >> 1, filling >> 2, filling >> 3]) {
    const chunks = Math.max(least, Math.min(wanted, most));
    if (chunks < 2) continue;
    const first = pass(Math.ceil(size / chunks), results * chunks, columns);
    const second = pass(chunks, results, narrow);
    const cost = first.loads + second.loads + DISPATCH;
    if (cost < best.cost) best = { chunks, first, second, cost };
  }
  return best;
}

const LARGEST_GROUP = 256;
const SMALL_GROUP = 64;
/** Neighbouring results of a workgroup, in units of T: what a large pass reads in one run, and elements of the shortest run. */
const LARGEST_RUN = 16;
const LEAST_RUN = 16;
/** Terms of a lane that are worth merging with others'. */
const LEAST_TERMS = 4;
/** Terms of a lane that are worth a second dispatch, and terms beyond which a sum in f32 would lose digits. */
const SHORTEST = 8;
const LONGEST = 1024;
/** What a dispatch costs beside its loads, in loads that wait for each other: microseconds against a quarter of one. */
const DISPATCH = 12;

/** The smallest power of two that is at least `value`. */
function powerOfTwoFrom(value: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, value)));
}
