import sharp from 'sharp';
import { ImageError } from '../../data/images/image-error.js';
import { pictureSize } from '../../data/images/image-source.js';
import { ImageStore } from '../../data/images/image-store.js';
import { whiteOf } from '../../data/images/prepare.js';
import type { Preprocessing } from '../../data/images/preprocessing.js';

/**
 * Radiographs inside the page, windowed as the network sees them, in the shape of their files. Each is in the page once,
 * however often it is shown, and all together stay within a budget: the more there are, the smaller they become.
 */

export interface Picture {
  /** A data URI. */
  readonly uri: string;
  readonly width: number;
  readonly height: number;
}

export interface PicturesOptions {
  /** Folder or archive that the identifiers are relative to. */
  readonly root: string;
  readonly preprocessing: Preprocessing;
  /** Characters that the data URIs may have together. */
  readonly budget: number;
  /** Pixels that the longer side may have; 576 when absent. */
  readonly longest?: number;
}

/** Pixels of the longer side, tried in turn: from what fills a window to what still shows a heart. */
const SIDES = [576, 512, 448, 384, 320, 256, 208, 160, 128] as const;
/** JPEG has all 256 greys, where lossy WebP has 219, and people will stretch them. */
const ENCODING = { quality: 84, mozjpeg: true } as const;
/** Pictures in work at a time. */
const AT_ONCE = 8;

/** By identifier; null for a picture that can't be read. */
export async function readPictures(
  images: readonly string[],
  options: PicturesOptions,
): Promise<Map<string, Picture | null>> {
  const distinct = [...new Set(images)];
  const greys = await inTurn(distinct, (image) => readGrey(image, options));
  const sides = SIDES.filter((side) => side <= (options.longest ?? SIDES[0]));
  for (const side of sides) {
    const pictures = await inTurn(greys, (grey) => grey && encode(grey, side));
    const size = pictures.reduce((sum, picture) => sum + (picture?.uri.length ?? 0), 0);
    if (size <= options.budget || side === sides.at(-1)) {
      return new Map(distinct.map((image, i) => [image, pictures[i] ?? null]));
    }
  }
  return new Map();
}

interface Grey {
  /** [height, width], 0 to 255. */
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
}

async function readGrey(
  image: string,
  { root, preprocessing, longest = SIDES[0] }: PicturesOptions,
): Promise<Grey | null> {
  try {
    const { width, height } = scaledTo(longest, await pictureSize(root, image));
    // only pictures with a score are shown, so that damaged ones were accepted before
    const store = new ImageStore({
      root,
      preprocessing: { ...preprocessing, size: [height, width] },
      cacheBytes: 0,
      lenient: true,
    });
    const grey = await store.prepared(image);
    const white = whiteOf(grey);
    return { pixels: Uint8Array.from(grey, (value) => Math.round((255 * value) / white)), width, height };
  } catch (error) {
    if (error instanceof ImageError) return null;
    throw error;
  }
}

async function encode({ pixels, width, height }: Grey, side: number): Promise<Picture> {
  const size = scaledTo(side, { width, height });
  const raw = sharp(pixels, { raw: { width, height, channels: 1 } });
  const smaller = size.width === width ? raw : raw.resize(size.width, size.height, { fit: 'fill' });
  const bytes = await smaller.toColourspace('b-w').jpeg(ENCODING).toBuffer();
  return { uri: `data:image/jpeg;base64,${bytes.toString('base64')}`, ...size };
}

/** A size whose longer side has at most `side` pixels, in the same shape. */
function scaledTo(side: number, { width, height }: { width: number; height: number }) {
  const scale = Math.min(1, side / Math.max(width, height));
  const scaled = (pixels: number) => Math.max(1, Math.round(pixels * scale));
  return { width: scaled(width), height: scaled(height) };
}

async function inTurn<Item, Made>(
  items: readonly Item[],
  make: (item: Item) => Promise<Made> | Made,
): Promise<Made[]> {
  const made: Made[] = [];
  for (let start = 0; start < items.length; start += AT_ONCE) {
    made.push(...(await Promise.all(items.slice(start, start + AT_ONCE).map(make))));
  }
  return made;
}
