import type { Place } from '../../kernels/image/view-grey.js';
import type { View } from './view.js';

/**
 * Views of an image at test time (TTA): the same image mirrored, turned, a little larger or a little smaller, all of the
 * network's size. The sets are those of the challenge's winner (arXiv 2602.13430). Scores or embeddings of the views are
 * merged.
 *
 * The winner makes views of normalised pixels, here the kernel makes them before the normalisation. Both are the same: the four
 * shares of a pixel add up to 1 and nothing is filled in at the borders, so a view keeps (x − mean) / std.
 */
export const VIEW_SETS = ['none', 'flip', 'light', 'medium', 'flip-scale'] as const;
export type ViewSet = (typeof VIEW_SETS)[number];

/** The views of a set, the image as it is first. */
export function viewsOf(set: ViewSet): readonly View[] {
  return VIEWS[set];
}

/** The image as it is: each pixel is copied bit for bit. */
export const identity: View = (height, width) => straight(range(width), range(height));

/** Mirrored left to right. */
const flipped =
  (view: View): View =>
  (height, width) => {
    const { columns, rows } = view(height, width);
    return { columns: [...columns].reverse(), rows };
  };

/** Resized by a factor; of a larger image the middle is kept, a smaller one is continued by its reflection. */
const scaled =
  (factor: number): View =>
  (height, width) =>
    straight(resized(width, factor), resized(height, factor));

/**
 * Turned about the middle. On square images this is PyTorch's `affine_grid` and `grid_sample` with
 * `padding_mode='reflection'` and `align_corners=False`; there other images are sheared, here they are turned as well.
 * @param degrees by which the places that are read are turned clockwise: the image itself turns the other way round
 */
const turned =
  (degrees: number): View =>
  (height, width) => {
    const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
    const along = (length: number) => range(length).map((place) => place - length / 2);
    return {
      columns: along(width).map((dx): Place => ({ x: width / 2 + cos * dx, y: sin * dx })),
      rows: along(height).map((dy): Place => ({ x: -sin * dy, y: height / 2 + cos * dy })),
    };
  };

/** Columns that only move sideways and rows that only move up and down. */
function straight(x: readonly number[], y: readonly number[]) {
  return {
    columns: x.map((place): Place => ({ x: place, y: 0 })),
    rows: y.map((place): Place => ({ x: 0, y: place })),
  };
}

/** The middles of the pixels of an axis. */
function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i + 0.5);
}

/**
 * For each pixel of an axis, the place that it is read at when the axis is resized to ⌊factor · length⌋, with half-pixel
 * centres and without antialiasing (PyTorch's `align_corners=False`), and then cropped or reflected back to its length. The
 * smaller half of an odd remainder stands in front.
 */
function resized(length: number, factor: number): number[] {
  const size = Math.max(Math.trunc(factor * length), 1);
  const front = Math.floor(Math.abs(size - length) / 2);
  return Array.from({ length }, (_, i) => {
    const pixel = size >= length ? i + front : reflected(i - front, size);
    return ((pixel + 0.5) * length) / size;
  });
}

/** An index beyond 0 … length − 1, mirrored at the first or last element, which is not repeated. */
function reflected(index: number, length: number): number {
  if (index < 0) return -index;
  return index < length ? index : 2 * (length - 1) - index;
}

const [larger, smaller] = [scaled(1.05), scaled(0.95)];
const flip = flipped(identity);
const light = [identity, flip, turned(5), turned(-5)];

const VIEWS: Readonly<Record<ViewSet, readonly View[]>> = {
  none: [identity],
  flip: [identity, flip],
  light,
  medium: [...light, scaled(1.1), scaled(0.9)],
  'flip-scale': [identity, flip, larger, smaller, flipped(larger), flipped(smaller)],
};
