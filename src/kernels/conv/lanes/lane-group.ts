import type { DeviceTraits } from '../../../engine/graph/tensor.js';
import type { ConvGeometry } from '../conv-geometry.js';

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

/** @param rows of the result @param columns of one group of the result, in texels of four */
export function laneGroup(rows: number, columns: number, groups: number, traits: DeviceTraits): LaneGroup {
  const { lanes, broadcast, columnsPerLane } = groupFor(columns, traits);
  const panels = Math.ceil(columns / (lanes * columnsPerLane)) * groups;
  let rowGroups = laneStyle(traits).rows / lanes;
  const units = () => Math.ceil(rows / (rowGroups * lanes));
  // Small results are cut finer: so that no row is computed for nothing, and there is work for all cores.
  while (rowGroups > 1 && (rowGroups * lanes >= 2 * rows || units() * panels < LEAST_UNITS)) rowGroups /= 2;
  return { lanes, broadcast, rowGroups, columnsPerLane, ...workgroupsFor(units(), panels, rowGroups) };
}

function wholePanels(channels: number, traits: DeviceTraits): boolean {
  return channels % (4 * panelColumns(channels / 4, traits)) === 0;
}

/** Texels of the columns that one group of lanes takes. */
export function panelColumns(columns: number, traits: DeviceTraits): number {
  const { lanes, columnsPerLane } = groupFor(columns, traits);
  return lanes * columnsPerLane;
}

/** The whole subgroup, or quads where the columns would leave half of it idle. */
export function groupFor(
  columns: number,
  { subgroupSize }: DeviceTraits,
): { lanes: number; broadcast: 'subgroupBroadcast' | 'quadBroadcast'; columnsPerLane: 1 | 2 } {
  const whole = subgroupSize === 4 || (subgroupSize === 8 && columns > 4);
  const lanes = whole ? subgroupSize : 4;
  // Two columns a lane share what is loaded of the pixels. An odd number of them would leave lanes idle in the last panel: of
  // few panels that is more than sharing saves. (Measured with 8 lanes; with 4 the two are alike.)
  const each = Math.ceil(columns / lanes);
  const alone = each === 1 || (lanes === 8 && each % 2 === 1 && each <= 5);
  return {
    lanes,
    broadcast: whole ? 'subgroupBroadcast' : 'quadBroadcast',
    columnsPerLane: alone ? 1 : 2,
  };
}

/**
 * Several units a workgroup where there are many small ones: the driver's cost a workgroup is shared. One of two sizes,
 * since each makes another pipeline.
 */
function workgroupsFor(
  units: number,
  panels: number,
  rowGroups: number,
): { unitsPerWorkgroup: number; workgroups: [number, number, number] } {
  const unitsPerWorkgroup = rowGroups === 1 && units * panels >= 64 ? 4 : 1;
  return { unitsPerWorkgroup, workgroups: [Math.ceil(units / unitsPerWorkgroup), panels, 1] };
}

/** The shape of a unit that suits an adapter, as measured on lavapipe and on SwiftShader. */
export interface LaneStyle {
  /** Of a unit: pixels, or input channels of a weight gradient. */
  readonly rows: number;
  /** Where the operand lies that lanes read side by side. */
  readonly columnsIn: 'texture' | 'buffer';
}

export function laneStyle({ adapter }: Pick<DeviceTraits, 'adapter'>): LaneStyle {
  // lavapipe: the accumulators are several times what the registers hold, but a spilled one costs less than the loads
  // of weights that more rows share. SwiftShader has half the registers, and reads buffers faster than textures. A GPU
  // runs these kernels only where a tuner finds them fastest, and has few registers a lane, too.
  return adapter === 'lavapipe' ? { rows: 32, columnsIn: 'texture' } : { rows: 16, columnsIn: 'buffer' };
}

/** Units below which some core of a usual machine would have nothing to do. */
const LEAST_UNITS = 8;

/** Why the barrier-free kernels cannot run a convolution. */
export function unfitForLanes(g: ConvGeometry, traits: DeviceTraits): string | undefined {
  if (traits.subgroupSize < 4) return 'needs subgroups of a fixed size of at least 4';
  if (g.groups > 1) {
    // Each group is a product of its own, of columns that panels cut evenly.
    if ((g.c / g.groups) % 4 !== 0) return 'groups share texels';
    if ([g.c, g.o].some((channels) => !wholePanels(channels / g.groups, traits)))
      return 'groups are narrower than tiles';
  }
  return undefined;
}
