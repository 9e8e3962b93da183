import type { TileKernel } from './tile-kernel.js';
import { type TileParameters, workgroupTileCode } from './tile-workgroup.js';

/** Multiplications in the time of staging a block of four by four: its addresses, loads, selections and stores. */
export const STAGING = 100;

/**
 * The tiles in workgroup memory: one kernel (tile-workgroup.ts) with these parameters. Large tiles read each operand less
 * often; small ones leave less of a small result, or of a small GPU, without work. The model of tile-plan.ts ranks them for
 * a problem and a device; a tuner measures the few that it ranks best.
 */
const MEMBERS: readonly TileParameters[] = [
  { rows: 128, columns: 128, slice: 16, laneRows: 8, laneColumns: 8, stages: 1 },
  { rows: 128, columns: 64, slice: 16, laneRows: 8, laneColumns: 8, stages: 1 },
  { rows: 64, columns: 128, slice: 16, laneRows: 8, laneColumns: 8, stages: 1 },
  { rows: 64, columns: 64, slice: 16, laneRows: 8, laneColumns: 8, stages: 1 },
  { rows: 64, columns: 64, slice: 16, laneRows: 8, laneColumns: 8, stages: 2 },
  { rows: 64, columns: 64, slice: 16, laneRows: 8, laneColumns: 4, stages: 1 },
  { rows: 64, columns: 32, slice: 16, laneRows: 8, laneColumns: 4, stages: 1 },
  { rows: 32, columns: 64, slice: 16, laneRows: 4, laneColumns: 8, stages: 1 },
  { rows: 32, columns: 32, slice: 32, laneRows: 4, laneColumns: 4, stages: 1 },
];

export const tileFamily: readonly TileKernel[] = MEMBERS.map(member);

/** `tile` rows × columns × slice `of` the rows × columns of a lane. Saved choices of kernels hold these names. */
function nameOf({ rows, columns, slice, laneRows, laneColumns, stages }: TileParameters): string {
  return `tile${rows}x${columns}x${slice}of${laneRows}x${laneColumns}${stages === 2 ? 'twice' : ''}`;
}

function member(parameters: TileParameters): TileKernel {
  const { rows, columns, slice, laneRows, laneColumns, stages } = parameters;
  const lanes = (rows / laneRows) * (columns / laneColumns);
  const bytes = (rows + columns) * slice * 4 * stages;
  const shape = { rows, columns, slice, lanes, bytes, speed: speedOf(parameters) };
  return {
    name: nameOf(parameters),
    family: 'tile',
    unfit(_product, { maxInvocations, maxWorkgroupBytes }) {
      if (maxInvocations < lanes) return `needs ${lanes} invocations a workgroup`;
      return maxWorkgroupBytes < bytes ? `needs ${bytes} bytes of workgroup memory` : undefined;
    },
    shape: ({ adapter }) => ({ ...shape, unrolled: adapter === 'gpu' }),
    sumsColumns: () => true,
    code: (product, { unrolled = false }) => workgroupTileCode(product, parameters, unrolled),
  };
}

/**
 * Time goes into multiplications, into values from workgroup memory (as fast as one word for each multiplication that the
 * units could do: all of NVIDIA's, AMD's and Intel's processors are built so) where those take longer, and into staging.
 */
function speedOf({ rows, columns, slice, laneRows, laneColumns }: TileParameters): number {
  const multiplications = slice * laneRows * laneColumns;
  const words = 4 * slice * (laneRows + laneColumns);
  const blocks = ((rows + columns) * slice * laneRows * laneColumns) / 16 / (rows * columns);
  return multiplications / (Math.max(multiplications, words) + STAGING * blocks);
}
