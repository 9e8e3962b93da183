/**
 * Maps as a network has them: a few cells over the whole image. Finer ones are drawn between the middles of the cells, at the
 * size that is wanted and one at a time, so that a thousand maps take no room.
 */

/** [height, width] */
export type MapSize = readonly [number, number];

export class CoarseMaps {
  /** [n, rows, columns], never negative. */
  readonly cells: Float32Array;
  readonly grid: MapSize;
  /** Of the images that the network was shown. */
  readonly imageSize: MapSize;

  constructor(cells: Float32Array, { grid, imageSize }: { grid: MapSize; imageSize: MapSize }) {
    this.cells = cells;
    this.grid = grid;
    this.imageSize = imageSize;
  }

  get count(): number {
    return this.cells.length / (this.grid[0] * this.grid[1]);
  }

  /** The cells of map `i`: [rows, columns]. A view: don't write to it. */
  cellsOf(i: number): Float32Array {
    const length = this.grid[0] * this.grid[1];
    return this.cells.subarray(i * length, (i + 1) * length);
  }

  /** Map `i` over the whole image: [height, width], in the method's own unit. @param size default: the network's */
  raw(i: number, size = this.imageSize): Float32Array {
    return resizeMap(this.cellsOf(i), this.grid, size);
  }

  /** The same, stretched to 0…1; zeros where the map is the same everywhere. */
  stretched(i: number, size = this.imageSize): Float32Array {
    return stretch(this.raw(i, size));
  }

  /** All maps, one behind the other: [n, height, width], stretched to 0…1 each. */
  allStretched(size = this.imageSize): Float32Array {
    const each = size[0] * size[1];
    const all = new Float32Array(this.count * each);
    for (let i = 0; i < this.count; i++) all.set(this.stretched(i, size), i * each);
    return all;
  }
}

/**
 * Bilinear between the middles of cells, constant outside of them: PyTorch's `interpolate(mode='bilinear',
 * align_corners=False)`.
 * @param cells [rows, columns] @returns [height, width]
 */
export function resizeMap(
  cells: Float32Array,
  [rows, columns]: MapSize,
  [height, width]: MapSize,
): Float32Array {
  const down = placesBetween(rows, height);
  const across = placesBetween(columns, width);
  const out = new Float32Array(height * width);
  for (let y = 0; y < height; y++) {
    const { first: upper, second: lower, share: v } = down(y);
    for (let x = 0; x < width; x++) {
      const { first: left, second: right, share: u } = across(x);
      const value = (row: number, column: number) => cells[row * columns + column] as number;
      const above = value(upper, left) * (1 - u) + value(upper, right) * u;
      const below = value(lower, left) * (1 - u) + value(lower, right) * u;
      out[y * width + x] = above * (1 - v) + below * v;
    }
  }
  return out;
}

/** Which two of `from` cells a place of `to` lies between, and how far it is on the way to the second. */
function placesBetween(from: number, to: number) {
  const places = Array.from({ length: to }, (_, i) => {
    const at = Math.max(0, ((i + 0.5) * from) / to - 0.5);
    const first = Math.min(Math.floor(at), from - 1);
    return { first, second: Math.min(first + 1, from - 1), share: at - first };
  });
  return (i: number) => places[i] as (typeof places)[number];
}

/** Smallest value to 0, largest to 1. */
export function stretch(map: Float32Array): Float32Array {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of map) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  return most > least ? map.map((value) => (value - least) / (most - least)) : new Float32Array(map.length);
}
