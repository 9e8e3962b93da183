import type { ViewSet } from '../../../src/predict/views/views.js';

/**
 * Views of test-time augmentation in float64, written down once more without places and tables: a mirrored image is copied, a
 * resized one is resized, cropped and padded, a turned one is looked up pixel by pixel. views.test.ts holds them against PyTorch.
 */

/** [height, width, channels] */
export type ViewShape = readonly [height: number, width: number, channels: number];

type ReferenceView = (images: ArrayLike<number>, shape: ViewShape) => Float64Array;

/** @param images [n, height, width, channels] @returns each view of the set, of the same shape */
export function referenceViews(set: ViewSet, images: ArrayLike<number>, shape: ViewShape): Float64Array[] {
  return VIEWS[set].map((view) => view(images, shape));
}

const identity: ReferenceView = (images) => Float64Array.from(images);

const flip: ReferenceView = (images, [, width, channels]) =>
  Float64Array.from({ length: images.length }, (_, i) => {
    const x = Math.floor(i / channels) % width;
    return images[i + (width - 1 - 2 * x) * channels]!;
  });

function scaled(factor: number): ReferenceView {
  return (images, [height, width, channels]) => {
    const result = new Float64Array(images.length);
    const [rows, columns] = [taps(height, factor), taps(width, factor)];
    const size = height * width * channels;
    for (let start = 0; start < images.length; start += size) {
      let at = start;
      for (const vertical of rows) {
        const [above, below] = [start + vertical.a * width * channels, start + vertical.b * width * channels];
        for (const { a, b, share } of columns) {
          for (let c = 0; c < channels; c++) {
            const value = (offset: number) => images[offset + c]!;
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

/** For each element of an axis, what it is made of when the axis is resized and then cropped or reflected to its length. */
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

function reflected(index: number, length: number): number {
  if (index < 0) return -index;
  return index < length ? index : 2 * (length - 1) - index;
}

function mix(a: number, b: number, share: number): number {
  return a + share * (b - a);
}

function turned(degrees: number): ReferenceView {
  return (images, [height, width, channels]) => {
    const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
    const [middleX, middleY] = [(width - 1) / 2, (height - 1) / 2];
    return Float64Array.from({ length: images.length }, (_, i) => {
      const channel = i % channels;
      const column = Math.floor(i / channels) % width;
      const row = Math.floor(i / (channels * width)) % height;
      const first = i - channel - (row * width + column) * channels;
      const [dx, dy] = [column - middleX, row - middleY];
      const x = mirrored(middleX + cos * dx - sin * dy, width);
      const y = mirrored(middleY + sin * dx + cos * dy, height);
      const [left, top] = [Math.floor(x), Math.floor(y)];
      const [right, bottom] = [Math.min(left + 1, width - 1), Math.min(top + 1, height - 1)];
      const value = (v: number, u: number) => images[first + (v * width + u) * channels + channel]!;
      return mix(
        mix(value(top, left), value(top, right), x - left),
        mix(value(bottom, left), value(bottom, right), x - left),
        y - top,
      );
    });
  };
}

/** A place beyond the outer edges of the first and last pixel, mirrored there; at most half a pixel from their centres. */
function mirrored(place: number, length: number): number {
  const beyond = Math.abs(place + 0.5);
  const rest = beyond % length;
  const inside = (Math.floor(beyond / length) % 2 === 0 ? rest : length - rest) - 0.5;
  return Math.min(Math.max(inside, 0), length - 1);
}

const [larger, smaller] = [scaled(1.05), scaled(0.95)];
const flipped =
  (view: ReferenceView): ReferenceView =>
  (images, shape) =>
    flip(view(images, shape), shape);

const VIEWS: Readonly<Record<ViewSet, readonly ReferenceView[]>> = {
  none: [identity],
  flip: [identity, flip],
  light: [identity, flip, turned(5), turned(-5)],
  medium: [identity, flip, turned(5), turned(-5), scaled(1.1), scaled(0.9)],
  'flip-scale': [identity, flip, larger, smaller, flipped(larger), flipped(smaller)],
};
