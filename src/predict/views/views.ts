import { rotated } from './rotated.js';
import type { View } from './view.js';

/**
 * Views of an image at test time (TTA): the same image mirrored, turned, a little larger or a little smaller, all of the
 * network's size. The sets are those of the challenge's winner (arXiv 2602.13430). Scores or embeddings of the views are averaged. Views are made of prepared pixels, normalised as for the network;
 * their values stay as they are, beyond 0 to 1 too.
 */
export const VIEW_SETS = ['none', 'flip', 'light', 'medium', 'flip-scale'] as const;
export type ViewSet = (typeof VIEW_SETS)[number];

/** The views of a set, the image as it is first. */
export function viewsOf(set: ViewSet): readonly View[] {
  return VIEWS[set];
}

const identity: View = (images) => images;

/** Mirrored left to right. */
const flip: View = (images, [, width, channels]) => {
  const result = new Float32Array(images.length);
  const rows = images.length / (width * channels);
  for (let row = 0; row < rows; row++) {
    for (let x = 0; x < width; x++) {
      const from = (row * width + width - 1 - x) * channels;
      result.set(images.subarray(from, from + channels), (row * width + x) * channels);
    }
  }
  return result;
};

/** Resized by a factor; of a larger image the middle is kept, a smaller one is continued by its reflection. */
function scaled(factor: number): View {
  return (images, [height, width, channels]) => {
    const result = new Float32Array(images.length);
    const [rows, columns] = [taps(height, factor), taps(width, factor)];
    const size = height * width * channels;
    for (let start = 0; start < images.length; start += size) {
      let at = start;
      for (const vertical of rows) {
        const [above, below] = [start + vertical.a * width * channels, start + vertical.b * width * channels];
        for (const { a, b, share } of columns) {
          for (let c = 0; c < channels; c++) {
            const value = (offset: number) => images[offset + c] as number;
            const top = mix(value(above + a * channels), value(above + b * channels), share);
            const bottom = mix(value(below + a * channels), value(below + b * channels), share);
            result[at++] = mix(top, bottom, vertical.share);
          }
        }
      }
    }
    return result;
  };
}

/** Two elements of an axis that make one: (1 − share)·a + share·b. */
interface Tap {
  readonly a: number;
  readonly b: number;
  readonly share: number;
}

/**
 * For each element of an axis, the elements that it is made of when the axis is resized to ⌊factor · length⌋, bilinear with
 * half-pixel centres and without antialiasing (PyTorch's `align_corners=False`), and then cropped or reflected back to its
 * length. The smaller half of an odd remainder stands in front.
 */
function taps(length: number, factor: number): Tap[] {
  const resized = Math.trunc(factor * length);
  const front = Math.floor(Math.abs(resized - length) / 2);
  return Array.from({ length }, (_, i) => {
    const place = resized >= length ? i + front : reflected(i - front, resized);
    const centre = Math.max(((place + 0.5) * length) / resized - 0.5, 0);
    const a = Math.min(Math.floor(centre), length - 1);
    return { a, b: Math.min(a + 1, length - 1), share: centre - a };
  });
}

/** An index beyond 0 … length − 1, mirrored at the first or last element, which is not repeated. */
function reflected(index: number, length: number): number {
  if (index < 0) return -index;
  return index < length ? index : 2 * (length - 1) - index;
}

function mix(a: number, b: number, share: number): number {
  return a + share * (b - a);
}

const turned = [rotated(5), rotated(-5)];
const [larger, smaller] = [scaled(1.05), scaled(0.95)];
const flipped =
  (view: View): View =>
  (images, shape) =>
    flip(view(images, shape), shape);

const VIEWS: Readonly<Record<ViewSet, readonly View[]>> = {
  none: [identity],
  flip: [identity, flip],
  light: [identity, flip, ...turned],
  medium: [identity, flip, ...turned, scaled(1.1), scaled(0.9)],
  'flip-scale': [identity, flip, larger, smaller, flipped(larger), flipped(smaller)],
};
