import { encodePalettePng } from '../../data/images/encode-png.js';
import type { Looked } from './looked.js';

/**
 * A map as a small picture that is laid over a radiograph: clear where the model did not look, from violet over orange to
 * pale yellow where it did. Sixteen steps are enough, since the browser smooths it as it enlarges it.
 */

const STEPS = 16;
/** More pixels of a side than this are averaged: no map of a network is finer than what it is worth. */
const LARGEST = 32;
/** Along the scale, from 0 to 1. */
const COLOURS = [
  [90, 20, 140],
  [200, 50, 110],
  [250, 130, 50],
  [255, 240, 150],
] as const;
/** Of the highest value: the radiograph shows through. */
const MOST_OPAQUE = 0.72;

/** A data URI. */
export function mapPicture({ map, width, height }: Looked): string {
  const factor = Math.max(1, Math.ceil(Math.max(width, height) / LARGEST));
  const [across, down] = [Math.ceil(width / factor), Math.ceil(height / factor)];
  const indices = new Uint8Array(across * down);
  for (let y = 0; y < down; y++) {
    for (let x = 0; x < across; x++) {
      const value = meanOf(map, width, height, { x: x * factor, y: y * factor, size: factor });
      indices[y * across + x] = Math.round(Math.min(1, Math.max(0, value)) * (STEPS - 1));
    }
  }
  const png = encodePalettePng(indices, across, down, PALETTE);
  return `data:image/png;base64,${Buffer.from(png).toString('base64')}`;
}

/** The colours and their share of opacity, for a legend: `rgba(255,240,150,0.72)` from clear to the highest. */
export function mapColours(): string[] {
  return PALETTE.map(([r, g, b, a]) => `rgba(${r},${g},${b},${Math.round((100 * a) / 255) / 100})`);
}

const PALETTE = Array.from({ length: STEPS }, (_, step) => {
  const value = step / (STEPS - 1);
  const at = value * (COLOURS.length - 1);
  const below = Math.min(COLOURS.length - 2, Math.floor(at));
  const mixed = ([0, 1, 2] as const).map((channel) => {
    const [from, to] = [COLOURS[below]?.[channel] ?? 0, COLOURS[below + 1]?.[channel] ?? 0];
    return Math.round(from + (to - from) * (at - below));
  });
  const [red = 0, green = 0, blue = 0] = mixed;
  return [red, green, blue, Math.round(255 * MOST_OPAQUE * value)] as const;
});

function meanOf(
  map: Float32Array,
  width: number,
  height: number,
  { x, y, size }: { x: number; y: number; size: number },
): number {
  let [sum, count] = [0, 0];
  for (let row = y; row < Math.min(height, y + size); row++) {
    for (let column = x; column < Math.min(width, x + size); column++) {
      sum += map[row * width + column] ?? 0;
      count++;
    }
  }
  return sum / count;
}
