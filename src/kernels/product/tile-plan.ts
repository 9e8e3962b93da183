import type { DeviceTraits } from '../../engine/graph/tensor.js';
import { shareOf, type TileShape, tileRowsOf, tilesOf } from './tile-kernel.js';
import type { TileProduct } from './tile-product.js';

/**
 * How long a GPU is expected to take for a product in tiles, and into how many shares the depth is best cut for it. Times
 * are in multiplications that one processor could have done meanwhile: what counts is the processor with the most
 * workgroups, how well those hide each other's latency, and the memory traffic.
 *
 * The numbers below hold for GPUs in general: a processor (NVIDIA's SM, AMD's compute unit, Apple's and Intel's core) does
 * about 128 multiplications a cycle at about 2 GHz, whatever the GPU's size; the number of processors is the device's own
 * (`DeviceTraits.residentGroups`).
 */
export interface TilePlan {
  readonly splits: number;
  /** Useful multiplications a second relative to the most that the device can do; the more, the better. */
  readonly speed: number;
}

/** Workgroups of 256 lanes and 16 KiB that a processor holds at once. */
export const GROUPS_A_PROCESSOR = 4;

/** The part of its time that a processor with this many lanes computes: with few, all of them wait at once. */
export function busyFraction(lanes: number): number {
  return 1 - Math.exp(-lanes / 160);
}

/** A workgroup's beginning and end, in which it only addresses, loads and stores: as if its depth were more by this. */
const ENDS = 24;

/** Multiplications of the time in which a byte reaches a processor from the caches, and from memory. */
const BYTE_FROM_CACHE = 2;
export const BYTE_FROM_MEMORY = 24;

/** A dispatch more, which waits for the one before it. */
export const DISPATCH = 150_000;

/** Shares of the depth below this are not worth their partial sums. */
const LEAST_SHARE = 64;

/** More workgroups than this on each processor gain nothing by a further cut. */
const MOST_A_PROCESSOR = 12;

/** @param splits where the caller has cut the depth already; otherwise the best number is found */
export function planTiles(
  product: TileProduct,
  shape: TileShape,
  traits: DeviceTraits,
  splits?: number,
): TilePlan {
  const processors = processorsOf(traits);
  const macs = product.parts.reduce((sum, { rows, depth }) => sum + rows * depth * product.columns, 0);
  let best = { splits: 1, time: Number.POSITIVE_INFINITY };
  for (const candidate of splits === undefined ? splitsToTry(product, shape, processors) : [splits]) {
    const time = timeOf(product, shape, processors, candidate, splits === undefined && candidate > 1);
    if (time < best.time) best = { splits: candidate, time };
  }
  return { splits: best.splits, speed: macs / processors / best.time };
}

/** Behind `Variant.rank`: from 10 for a kernel that keeps the device as busy as can be to 20 for one that leaves it idle. */
export function rankOf({ speed }: Pick<TilePlan, 'speed'>): number {
  return 20 / (1 + speed);
}

export function processorsOf({ residentGroups }: Pick<DeviceTraits, 'residentGroups'>): number {
  return Math.max(1, Math.round(residentGroups / GROUPS_A_PROCESSOR));
}

/** The most shares with which no processor gets more than one workgroup, two, three…; each without empty shares. */
function splitsToTry(product: TileProduct, shape: TileShape, processors: number): Set<number> {
  const tiles = tileRowsOf(product, shape) * tilesOf(product.columns, shape.columns);
  const depth = Math.max(...product.parts.map((part) => part.depth));
  const most = Math.max(1, Math.floor(depth / LEAST_SHARE));
  const tries = new Set([1]);
  for (let each = 1; each <= MOST_A_PROCESSOR; each++) {
    const splits = Math.min(most, Math.floor((each * processors) / tiles));
    if (splits > 1) tries.add(Math.ceil(depth / shareOf(depth, splits, shape)));
  }
  return tries;
}

function timeOf(
  { parts, columns, elements }: TileProduct,
  shape: TileShape,
  processors: number,
  splits: number,
  summed: boolean,
): number {
  const across = tilesOf(columns, shape.columns);
  let groups = 0;
  let longest = 0;
  let depths = 0;
  for (const { rows, depth } of parts) {
    const share = shareOf(depth, splits, shape) + ENDS;
    const own = tilesOf(rows, shape.rows) * across * splits;
    groups += own;
    depths += own * share;
    longest = Math.max(longest, share);
  }
  // Workgroups are dealt out whole: the unlucky processor gets one more, though of the mean length where lengths differ.
  const each = Math.ceil(groups / processors);
  const work = Math.max(longest, each * (depths / groups)) * shape.rows * shape.columns;
  const lanes = Math.min(each, heldBy(shape)) * shape.lanes;
  const computing = work / shape.speed / busyFraction(lanes);
  const staged = (depths * (shape.rows + shape.columns) * 4) / processors;
  const time = Math.max(computing, staged * BYTE_FROM_CACHE);
  if (!summed) return time;
  const partials = (elements * 4 * (2 * splits + 1)) / processors;
  return time + partials * BYTE_FROM_MEMORY + DISPATCH;
}

/** Workgroups that a processor holds at once. */
function heldBy({ lanes, bytes }: TileShape): number {
  return Math.max(1, Math.floor(GROUPS_A_PROCESSOR * Math.min(256 / lanes, 16384 / bytes)));
}
