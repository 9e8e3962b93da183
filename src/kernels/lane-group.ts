import type { DeviceTraits } from '../engine/tensor.js';
import type { ConvGeometry } from './conv-geometry.js';

/**
 * How the barrier-free kernels cut a product into units: a group of lanes that can broadcast to each other owns
 * `rowGroups · lanes` rows and `lanes · columnsPerLane` columns of four.
 */
export interface LaneGroup {
  readonly lanes: number;
  readonly rowGroups: number;
  readonly columnsPerLane: number;
  readonly unitsPerWorkgroup: number;
  /** The WGSL broadcast within the group. */
  readonly broadcast: 'subgroupBroadcast' | 'quadBroadcast';
  readonly workgroups: readonly [number, number, number];
}

/** @param rows of the result @param columns of the result, in texels of four */
export function laneGroup(rows: number, columns: number, traits: DeviceTraits): LaneGroup {
  const { lanes, broadcast } = groupFor(columns, traits);
  const columnsPerLane = columns > lanes ? 2 : 1;
  const rowGroups = Math.max(1, Math.min(rowsFor(lanes, columnsPerLane) / lanes, Math.ceil(rows / lanes)));
  const units = Math.ceil(rows / (rowGroups * lanes));
  const columnBlocks = Math.ceil(columns / (lanes * columnsPerLane));
  return { lanes, broadcast, rowGroups, columnsPerLane, ...workgroupsFor(units, columnBlocks) };
}

/** The whole subgroup, or quads where the columns would leave half of it idle. */
export function groupFor(
  columns: number,
  { subgroupSize }: DeviceTraits,
): { lanes: number; broadcast: 'subgroupBroadcast' | 'quadBroadcast' } {
  const whole = subgroupSize === 4 || (subgroupSize === 8 && columns > 4);
  return whole
    ? { lanes: subgroupSize, broadcast: 'subgroupBroadcast' }
    : { lanes: 4, broadcast: 'quadBroadcast' };
}

/**
 * Several units a workgroup where there are many: the driver's cost a workgroup is shared. One of two sizes, since
 * each makes another pipeline.
 */
export function workgroupsFor(
  units: number,
  columnBlocks: number,
): { unitsPerWorkgroup: number; workgroups: [number, number, number] } {
  const unitsPerWorkgroup = units * columnBlocks >= 64 ? 4 : 1;
  return { unitsPerWorkgroup, workgroups: [Math.ceil(units / unitsPerWorkgroup), columnBlocks, 1] };
}

/** Rows of a unit: as many accumulators as the adapter's registers (and what spills cheaply) hold. */
function rowsFor(lanes: number, columnsPerLane: number): number {
  return lanes === 4 && columnsPerLane === 1 ? 32 : 16;
}

/** Why the barrier-free kernels cannot run a convolution whose result has `channels` channels. */
export function unfitForLanes(g: ConvGeometry, channels: number, traits: DeviceTraits): string | undefined {
  if (traits.subgroupSize < 4) return 'needs subgroups of a fixed size of at least 4';
  if (g.groups !== 1) return 'groups share no tile';
  if (channels % 4 !== 0) return 'channels are not a multiple of 4';
  return undefined;
}
