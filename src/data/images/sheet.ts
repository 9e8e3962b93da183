import { encodeGreyPng } from './encode-png.js';
import { drawText, GLYPH_HEIGHT, GLYPH_WIDTH } from './glyphs.js';

/** Pictures side by side with a line of text under each, as a PNG that needs no fonts. */

export interface SheetPicture {
  /** [height, width], 8 bits; undefined leaves the place empty. */
  readonly pixels: ArrayLike<number> | undefined;
  /** Cut off where it is longer than the picture is wide. */
  readonly caption: string;
}

/** Of each picture, in pixels. */
export interface SheetLayout {
  readonly height: number;
  readonly width: number;
  readonly columns: number;
}

const GAP = 4;
const CAPTION = GLYPH_HEIGHT + 6;
const BACKGROUND = 24;
const INK = 230;

/** @returns the bytes of an 8-bit PNG */
export function drawSheet(pictures: readonly SheetPicture[], layout: SheetLayout): Uint8Array {
  const { columns } = layout;
  const rows = Math.max(1, Math.ceil(pictures.length / columns));
  const width = columns * (layout.width + GAP) + GAP;
  const height = rows * (layout.height + CAPTION + GAP) + GAP;
  const sheet = new Uint8Array(width * height).fill(BACKGROUND);
  for (const [place, { pixels, caption }] of pictures.entries()) {
    const left = GAP + (place % columns) * (layout.width + GAP);
    const top = GAP + Math.floor(place / columns) * (layout.height + CAPTION + GAP);
    for (let y = 0; pixels && y < layout.height; y++) {
      for (let x = 0; x < layout.width; x++) {
        sheet[(top + y) * width + left + x] = pixels[y * layout.width + x] ?? 0;
      }
    }
    const fits = Math.floor(layout.width / GLYPH_WIDTH);
    drawText(sheet, width, left + 1, top + layout.height + 4, caption.slice(0, fits), INK);
  }
  return encodeGreyPng(sheet, width, height);
}
