import { at, type DeviceTraits } from '../../../engine/graph/tensor.js';

/**
 * The block of work that a lane of the window kernels (window-gather.ts, window-weight.ts) holds in registers, and the
 * places of its columns: all that differs between a 3×3 of narrow groups and a depthwise 31×31.
 */
export interface WindowBlock {
  /** Output columns, which lie `spacing` apart: then their taps meet the same input columns, whatever the dilation. */
  readonly columns: number;
  /** Rows: of output pixels, or of taps where the weights are the result. */
  readonly rows: number;
  /** Neighbouring taps of a row that are taken at a time. */
  readonly taps: number;
  /** Input channels that are loaded at a time. */
  readonly depth: 1 | 4;
}

/** Columns of a lane on the input's columns, counted in steps of a tap. */
export interface ColumnGrid {
  readonly spacing: number;
  /** Steps from one column of a lane to its next. */
  readonly advance: number;
  /** Input columns of a step. */
  readonly step: number;
}

/** @param advance input columns from one output column to the next @param tapStep from one tap to the next */
export function columnGrid({
  advance,
  tapStep,
  taps,
}: Readonly<Record<'advance' | 'tapStep' | 'taps', number>>): ColumnGrid {
  // A single tap has no next one.
  const step = taps > 1 ? tapStep : advance;
  const common = greatestCommonDivisor(advance, step);
  return { spacing: step / common, advance: advance / common, step };
}

/** Strips of a row: every residue modulo the spacing is cut for itself. */
export function stripsOf(
  width: number,
  { spacing }: ColumnGrid,
  { columns }: Pick<WindowBlock, 'columns'>,
): number {
  const residues = Math.min(spacing, width);
  return residues * Math.ceil(Math.ceil(width / residues) / columns);
}

/** Values of a row of the input that a lane has at hand at a time. */
export function valuesOf({ columns, taps }: WindowBlock, { advance }: ColumnGrid): number {
  return (columns - 1) * advance + taps;
}

/** The work whose blocks are chosen. */
export interface WindowWork {
  /** Rows as in `WindowBlock.rows`, output columns, taps of a row. */
  readonly rows: number;
  readonly width: number;
  readonly taps: number;
  readonly depth: 1 | 4;
  readonly grid: ColumnGrid;
  /** Sums that a lane keeps, and what it loads for all of its rows. */
  sums(block: WindowBlock): number;
  shared(block: WindowBlock): number;
  /** Lanes that work side by side. */
  lanes(block: WindowBlock): number;
}

/** The block of least cost: multiply-adds, loads, and lanes that a device would have room for. */
export function chooseBlock(work: WindowWork, { residentGroups }: DeviceTraits): WindowBlock {
  const { depth, grid } = work;
  let best: { block: WindowBlock; cost: number } | undefined;
  for (const columns of [4, 8, 16]) {
    for (const rows of [1, 2, 4]) {
      for (let parts = Math.ceil(work.taps / LARGEST_TAPS); parts <= work.taps || parts <= 1; parts++) {
        const block = { columns, rows, taps: Math.max(1, Math.ceil(work.taps / Math.max(1, parts))), depth };
        const values = valuesOf(block, grid);
        const updates = rows * columns * block.taps * depth;
        // A value, and its place.
        const registers = work.sums(block) + values * (depth + 1) + work.shared(block);
        if ((registers > MOST_REGISTERS || updates > MOST_UPDATES) && best) continue;
        const step = updates + LOAD * (work.shared(block) + rows * values);
        const steps =
          Math.ceil(work.rows / rows) *
          stripsOf(work.width, grid, block) *
          Math.ceil(Math.max(1, work.taps) / block.taps);
        const idle = Math.max(1, (residentGroups * ENOUGH_LANES) / work.lanes(block));
        const cost = step * steps * idle;
        if (!best || cost < best.cost) best = { block, cost };
      }
    }
  }
  if (!best) throw new RangeError('window convolution: no block');
  return best.block;
}

/** Multiply-adds in the time of a load: its address, its check against the border, its way from the nearest cache. */
const LOAD = 5;
const LARGEST_TAPS = 16;
const MOST_REGISTERS = 96;
/** Multiply-adds that are written out. */
const MOST_UPDATES = 512;
/** Lanes of each 256 that a device holds: each has many loads on their way at once. */
const ENOUGH_LANES = 64;

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** WGSL for the columns of a lane: its first output column, and the first value that they meet, from the input's left edge. */
export function columnCode(strip: string): string {
  return `
  let column = ${strip} / dims.residues * dims.stripWidth + ${strip} % dims.residues;
  let left = i32(column * dims.advanceX) - i32(dims.padX);`;
}

/** The dims of `columnCode`. */
export function columnDims(
  width: number,
  grid: ColumnGrid,
  block: WindowBlock,
): Readonly<Record<'strips' | 'residues' | 'stripWidth' | 'spacing' | 'tapStepX', number>> {
  const residues = Math.min(grid.spacing, width);
  return {
    strips: stripsOf(width, grid, block),
    residues,
    stripWidth: grid.spacing * block.columns,
    spacing: grid.spacing,
    tapStepX: grid.step,
  };
}

/** WGSL: part `j` of a value that is `depth` channels wide. */
export function part(name: string, j: number, { depth }: Pick<WindowBlock, 'depth'>): string {
  return depth === 4 ? `${name}.${at(['x', 'y', 'z', 'w'], j)}` : name;
}

/** Lines of WGSL for 0, 1, … n − 1. */
export function each(n: number, line: (i: number) => string): string {
  return Array.from({ length: n }, (_, i) => line(i)).join('\n');
}
