import type { PictureChanges } from '../../../src/kernels/image/change-table.js';

/**
 * Changes to one picture in float64, straight from their meaning: no table, no displacement, another way to the normal
 * distribution. Only CLAHE rounds, as it works on whole levels; its curves are handed in.
 */
export interface Picture {
  readonly height: number;
  readonly width: number;
  /** Row by row, in [0, 1]. */
  readonly values: Float64Array;
}

export interface ClaheSettings {
  readonly tiles: number;
  readonly there: ArrayLike<number>;
  readonly back: ArrayLike<number>;
  /**
   * Goes before each rounding of a level. Small tiles make many levels that lie halfway but for f32's rounding: with a
   * small number taken off, and then added, the reference gives the least and the most that f32 can have.
   */
  readonly nudge: number;
}

export function changed(picture: Picture, changes: PictureChanges, clahe: ClaheSettings): Picture {
  let out = picture;
  if (changes.flip) out = mapped(out, (_, y, x) => at(picture, y, picture.width - 1 - x));
  if (changes.move) out = moved(out, changes.move);
  if (changes.clahe) out = equalised(out, changes.clahe.clip, clahe);
  const { tone, noise, holes } = changes;
  if (tone) out = mapped(out, (value) => clamp(value * tone.gain + tone.offset));
  if (noise) {
    const { width } = out;
    out = mapped(out, (value, y, x) =>
      clamp(value + noise.deviation * normal(counterHash(y * width + x, ...noise.key))),
    );
  }
  const inHole = (y: number, x: number) =>
    holes.some(
      ({ top, left, height, width }) => y >= top && y < top + height && x >= left && x < left + width,
    );
  return mapped(out, (value, y, x) => (inHole(y, x) ? 0 : value));
}

/** Rotates and scales about the centre of the pixels, then shifts; bilinear, 0 outside. */
function moved(picture: Picture, move: NonNullable<PictureChanges['move']>): Picture {
  const centreX = (picture.width - 1) / 2;
  const centreY = (picture.height - 1) / 2;
  return mapped(picture, (_, y, x) => {
    // the inverse: shift back, turn back, scale back
    const dx = x - move.shiftX - centreX;
    const dy = y - move.shiftY - centreY;
    const fromX = centreX + (dx * Math.cos(move.radians) - dy * Math.sin(move.radians)) / move.scale;
    const fromY = centreY + (dx * Math.sin(move.radians) + dy * Math.cos(move.radians)) / move.scale;
    let sum = 0;
    for (const row of [Math.floor(fromY), Math.floor(fromY) + 1]) {
      for (const column of [Math.floor(fromX), Math.floor(fromX) + 1]) {
        sum += at(picture, row, column) * (1 - Math.abs(fromY - row)) * (1 - Math.abs(fromX - column));
      }
    }
    return sum;
  });
}

/** CLAHE with OpenCV's tiles, clipping and rounding. */
function equalised(picture: Picture, clip: number, { tiles, there, back, nudge }: ClaheSettings): Picture {
  const { height, width } = picture;
  const levels = Array.from(picture.values, (value) => there[roundHalfEven(clamp(value) * 255)]!);
  let [down, across] = [height, width];
  if (down % tiles !== 0 || across % tiles !== 0) {
    down += tiles - (down % tiles);
    across += tiles - (across % tiles);
  }
  const tileHeight = down / tiles;
  const tileWidth = across / tiles;
  const area = tileHeight * tileWidth;
  const limit = Math.max(1, Math.trunc((clip * area) / 256));
  const tables = Array.from({ length: tiles * tiles }, (_, tile) => {
    const counts = new Array<number>(256).fill(0);
    for (let y = 0; y < tileHeight; y++) {
      for (let x = 0; x < tileWidth; x++) {
        const row = mirror(Math.floor(tile / tiles) * tileHeight + y, height);
        counts[levels[row * width + mirror((tile % tiles) * tileWidth + x, width)]!]!++;
      }
    }
    const excess = counts.reduce((sum, count) => sum + Math.max(0, count - limit), 0);
    const even = Math.floor(excess / 256);
    const clipped = counts.map((count) => Math.min(count, limit) + even);
    let rest = excess - even * 256;
    const spread = Math.max(1, Math.floor(256 / rest));
    for (let level = 0; level < 256 && rest > 0; level += spread, rest--) clipped[level]!++;
    let sum = 0;
    return clipped.map((count) => {
      sum += count;
      return Math.min(255, roundHalfEven((sum * 255) / area + nudge));
    });
  });
  const within = (tile: number) => Math.min(tiles - 1, Math.max(0, tile));
  return mapped(picture, (_, y, x) => {
    const fromY = y / tileHeight - 0.5;
    const fromX = x / tileWidth - 0.5;
    let level = 0;
    for (const row of [Math.floor(fromY), Math.floor(fromY) + 1]) {
      for (const column of [Math.floor(fromX), Math.floor(fromX) + 1]) {
        const table = tables[within(row) * tiles + within(column)]!;
        level +=
          table[levels[y * width + x]!]! * (1 - Math.abs(fromY - row)) * (1 - Math.abs(fromX - column));
      }
    }
    return back[Math.max(0, Math.min(255, roundHalfEven(level + nudge)))]! / 255;
  });
}

/** The place of a pixel beyond the last one, mirrored at the last, then at the first, and so on. */
function mirror(place: number, size: number): number {
  if (size === 1) return 0;
  let at = place;
  let step = 1;
  for (let from = 0, left = place; left > 0; left--, from = at) {
    if (from === 0) step = 1;
    if (from === size - 1) step = -1;
    at = from + step;
  }
  return place < size ? place : at;
}

/** lowbias32 of the element, then of its exclusive or with each word of the key. */
export function counterHash(element: number, a: number, b: number): number {
  const lowbias32 = (value: number) => {
    let hash = Math.imul(value ^ (value >>> 16), 0x7feb352d);
    hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b);
    return hash ^ (hash >>> 16);
  };
  return lowbias32(lowbias32(lowbias32(element) ^ a) ^ b) >>> 0;
}

/** The normal quantile of random bits (one is the sign, 23 the tail), found by bisecting the distribution. */
export function normal(bits: number): number {
  const tail = ((bits >>> 9) + 0.5) / 2 ** 24;
  let [low, high] = [0, 8];
  while (high - low > 1e-12) {
    const middle = (low + high) / 2;
    if (upperTail(middle) > tail) low = middle;
    else high = middle;
  }
  return bits & 1 ? -low : low;
}

/** 1 − Φ(z) for z ≥ 0: the series about 0, or the continued fraction of Mills' ratio. */
function upperTail(z: number): number {
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  if (z < 2.5) {
    let [term, sum] = [z, z];
    for (let k = 3; term > 1e-17; k += 2) {
      term *= (z * z) / k;
      sum += term;
    }
    return 0.5 - density * sum;
  }
  let fraction = z;
  for (let k = 60; k > 0; k--) fraction = z + k / fraction;
  return density / fraction;
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

function mapped(picture: Picture, value: (value: number, y: number, x: number) => number): Picture {
  const { width } = picture;
  return {
    ...picture,
    values: picture.values.map((old, i) => value(old, Math.floor(i / width), i % width)),
  };
}

function at({ height, width, values }: Picture, y: number, x: number): number {
  return y < 0 || y >= height || x < 0 || x >= width ? 0 : values[y * width + x]!;
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}
