import { encodeGreyPng } from '../data/images/encode-png.js';
import { ImageError } from '../data/images/image-error.js';
import { ImageStore } from '../data/images/image-store.js';
import { whiteOf } from '../data/images/prepare.js';
import type { Preprocessing } from '../data/images/preprocessing.js';
import { drawText, GLYPH_HEIGHT, GLYPH_WIDTH } from '../phantom/glyphs.js';

/** Pictures side by side with a line of text under each, as a PNG. */
export interface SheetPicture {
  /** As in the table. */
  readonly image: string;
  readonly caption: string;
}

/** Pixels a side of each picture. */
const SIZE = 192;
const GAP = 4;
const CAPTION = GLYPH_HEIGHT + 6;
const MOST_COLUMNS = 5;
const BACKGROUND = 24;
const INK = 230;

/** @param root folder that the images are relative to @returns the bytes of an 8-bit PNG */
export async function drawPictureSheet(
  pictures: readonly SheetPicture[],
  root: string,
  preprocessing: Preprocessing,
): Promise<Uint8Array> {
  const store = new ImageStore({
    root,
    preprocessing: { ...preprocessing, size: [SIZE, SIZE] },
    cacheBytes: 0,
    // only pictures with an embedding are shown, so that damaged ones were accepted before
    lenient: true,
  });
  const columns = Math.min(MOST_COLUMNS, Math.max(1, pictures.length));
  const rows = Math.max(1, Math.ceil(pictures.length / columns));
  const width = columns * (SIZE + GAP) + GAP;
  const height = rows * (SIZE + CAPTION + GAP) + GAP;
  const sheet = new Uint8Array(width * height).fill(BACKGROUND);
  for (const [place, { image, caption }] of pictures.entries()) {
    const left = GAP + (place % columns) * (SIZE + GAP);
    const top = GAP + Math.floor(place / columns) * (SIZE + CAPTION + GAP);
    const grey = await store.prepared(image).catch((error: unknown) => {
      if (error instanceof ImageError) return undefined;
      throw error;
    });
    const shade = 255 / (grey ? whiteOf(grey) : 255);
    for (let y = 0; grey && y < SIZE; y++) {
      for (let x = 0; x < SIZE; x++) {
        sheet[(top + y) * width + left + x] = Math.round((grey[y * SIZE + x] ?? 0) * shade);
      }
    }
    const fits = Math.floor(SIZE / GLYPH_WIDTH);
    drawText(sheet, width, left + 1, top + SIZE + 4, caption.slice(0, fits), INK);
  }
  return encodeGreyPng(sheet, width, height);
}
