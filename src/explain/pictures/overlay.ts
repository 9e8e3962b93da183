import { drawText, GLYPH_HEIGHT, GLYPH_WIDTH } from '../../data/images/glyphs.js';
import type { MapSize } from '../maps/coarse-maps.js';
import type { Mask } from '../pointing/mask.js';
import { colourOf, type Rgb } from './colour-map.js';

/**
 * A radiograph with a map over it, for people: as bright as it was where the map says nothing, so that side markers stay
 * readable, and never turned or mirrored. Below it stand the class, its score and the meaning of the colours.
 */
export interface OverlayParts {
  /** [height, width], 8 bits. */
  readonly grey: Uint8Array;
  readonly size: MapSize;
  /** [height, width], 0…1. */
  readonly map: Float32Array;
  /** Of the class, and of the method in a second line; signs that the font of picture sheets has not stay blank. */
  readonly lines: readonly [first: string, second: string];
  /** Drawn as an outline. */
  readonly mask?: Mask | null | undefined;
}

export interface RgbPicture {
  /** [height, width, 3] */
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** How much of a pixel the colour takes where the map is highest. */
const OPACITY = 0.6;
const OUTLINE: Rgb = [0, 229, 255];
const PAPER = 24;
const INK = 230;
/** Of the longer side of what is drawn, in pixels. */
const LONGEST = { least: 512, most: 1024 };

/** The size at which a picture of so many pixels is shown: large enough to judge, in its own proportions. */
export function shownSize(width: number, height: number): MapSize {
  const longer = Math.max(width, height);
  const scale = Math.min(LONGEST.most, Math.max(LONGEST.least, longer)) / longer;
  const side = (pixels: number) => Math.max(1, Math.round(pixels * scale));
  return [side(height), side(width)];
}

export function drawOverlay({ grey, size: [height, width], map, lines, mask }: OverlayParts): RgbPicture {
  const scale = Math.max(1, Math.floor(width / 256));
  const legend = scale * (2 * GLYPH_HEIGHT + 3 * LEADING);
  const pixels = new Uint8Array(3 * width * (height + legend)).fill(PAPER);
  for (let i = 0; i < height * width; i++) {
    const value = map[i] as number;
    const colour = colourOf(value);
    const share = OPACITY * value;
    for (let channel = 0; channel < 3; channel++) {
      pixels[3 * i + channel] = (1 - share) * (grey[i] as number) + share * (colour[channel] as number) + 0.5;
    }
  }
  if (mask) drawOutline(pixels, [height, width], mask);
  const below = pixels.subarray(3 * width * height);
  drawLegend(below, { width, scale, lines });
  return { pixels, width, height: height + legend };
}

/** Between lines of the legend, in pixels of its font. */
const LEADING = 4;
/** The bar of colours, in pixels of its font. */
const BAR = 40;

function drawLegend(
  pixels: Uint8Array,
  { width, scale, lines }: { width: number; scale: number } & Pick<OverlayParts, 'lines'>,
): void {
  const columns = Math.floor(width / scale);
  const rows = 2 * GLYPH_HEIGHT + 3 * LEADING;
  const text = new Uint8Array(columns * rows);
  const second = LEADING + GLYPH_HEIGHT + LEADING;
  const write = (line: string, left: number, top: number, room: number) => {
    const fits = Math.max(0, Math.floor(room / GLYPH_WIDTH));
    drawText(text, columns, left, top, line.slice(0, fits), 1);
  };
  const [low, high] = ['low', 'high'];
  const barRight = columns - LEADING - high.length * GLYPH_WIDTH - 2;
  const barLeft = barRight - BAR;
  const lowLeft = barLeft - 2 - low.length * GLYPH_WIDTH;
  write(lines[0], LEADING, LEADING, columns - 2 * LEADING);
  write(lines[1], LEADING, second, lowLeft - 2 * LEADING);
  write(low, lowLeft, second, columns);
  write(high, barRight + 2, second, columns);
  for (let y = 0; y < rows * scale; y++) {
    for (let x = 0; x < columns * scale; x++) {
      const [column, row] = [Math.floor(x / scale), Math.floor(y / scale)];
      const inBar = column >= barLeft && column < barRight && row >= second && row < second + GLYPH_HEIGHT;
      const ink: Rgb | undefined = inBar
        ? colourOf((x - barLeft * scale) / (BAR * scale - 1))
        : text[row * columns + column]
          ? [INK, INK, INK]
          : undefined;
      if (ink) pixels.set(ink, 3 * (y * width + x));
    }
  }
}

/** The border of a mask, inside of it. */
function drawOutline(pixels: Uint8Array, [height, width]: MapSize, mask: Mask): void {
  const inside = (x: number, y: number): boolean => {
    const column = Math.floor(((x + 0.5) * mask.width) / width);
    const row = Math.floor(((y + 0.5) * mask.height) / height);
    return (mask.inside[row * mask.width + column] ?? 0) !== 0;
  };
  const thick = Math.max(1, Math.round(Math.max(height, width) / 400));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!inside(x, y)) continue;
      const left = x < thick || !inside(x - thick, y);
      const right = x + thick >= width || !inside(x + thick, y);
      const above = y < thick || !inside(x, y - thick);
      const below = y + thick >= height || !inside(x, y + thick);
      if (left || right || above || below) pixels.set(OUTLINE, 3 * (y * width + x));
    }
  }
}
