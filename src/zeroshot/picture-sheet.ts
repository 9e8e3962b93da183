import { ImageError } from '../data/images/image-error.js';
import { ImageStore } from '../data/images/image-store.js';
import { whiteOf } from '../data/images/prepare.js';
import type { Preprocessing } from '../data/images/preprocessing.js';
import { drawSheet, type SheetPicture } from '../data/images/sheet.js';

/** Pictures of a table side by side, as a PNG. */
export interface NamedPicture {
  /** As in the table. */
  readonly image: string;
  readonly caption: string;
}

/** Pixels a side of each picture. */
const SIZE = 192;
const MOST_COLUMNS = 5;

/** @param root folder that the images are relative to @returns the bytes of an 8-bit PNG */
export async function drawPictureSheet(
  pictures: readonly NamedPicture[],
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
  const drawn: SheetPicture[] = [];
  for (const { image, caption } of pictures) {
    const grey = await store.prepared(image).catch((error: unknown) => {
      if (error instanceof ImageError) return undefined;
      throw error;
    });
    const shade = 255 / (grey ? whiteOf(grey) : 1);
    drawn.push({ pixels: grey?.map((value) => Math.round(value * shade)), caption });
  }
  const columns = Math.min(MOST_COLUMNS, Math.max(1, pictures.length));
  return drawSheet(drawn, { height: SIZE, width: SIZE, columns });
}
