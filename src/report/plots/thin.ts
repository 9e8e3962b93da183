import type { Point } from './marks.js';

/** Fewer points that draw the same picture: a plot is a few hundred pixels wide, a run may have a million steps. */

export interface Bin {
  /** Mean place and mean value. */
  readonly x: number;
  readonly y: number;
  readonly low: number;
  readonly high: number;
}

/** Means and extremes of up to `most` stretches of equally many points (finite ones, in order of x). */
export function binned(points: readonly Point[], most: number): Bin[] {
  const size = Math.ceil(points.length / most);
  const bins: Bin[] = [];
  for (let start = 0; start < points.length; start += size) {
    let [x, y, low, high] = [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    const part = points.slice(start, start + size);
    for (const [px, py] of part) {
      x += px;
      y += py;
      low = Math.min(low, py);
      high = Math.max(high, py);
    }
    bins.push({ x: x / part.length, y: y / part.length, low, high });
  }
  return bins;
}

/**
 * Leaves out points that lie nearer than `distance` (in both coordinates) to the last one kept; first and last stay.
 * For curves that have a point for every image.
 */
export function spaced(points: readonly Point[], distance: number): Point[] {
  const kept: Point[] = [];
  let last: Point | undefined;
  for (const [i, point] of points.entries()) {
    const far =
      last === undefined ||
      Math.abs(point[0] - last[0]) >= distance ||
      Math.abs(point[1] - last[1]) >= distance;
    if (!far && i < points.length - 1) continue;
    kept.push(point);
    last = point;
  }
  return kept;
}
