import { encodeGreyPng } from '../data/images/encode-png.js';
import { ImageError } from '../data/images/image-error.js';
import { ImageStore } from '../data/images/image-store.js';
import { whiteOf } from '../data/images/prepare.js';
import type { Preprocessing } from '../data/images/preprocessing.js';

/** Small pictures inside the page, windowed as the network sees them. */

/** Pixels of the longer side. */
const SIZE = 176;
/** More shades make larger files and no difference to the eye. */
const SHADES = 64;

export class Thumbnails {
  readonly #store: ImageStore;
  readonly #size: readonly [height: number, width: number];

  /** @param root folder that the identifiers are relative to */
  constructor(root: string, preprocessing: Preprocessing) {
    const [height, width] = preprocessing.size;
    const scale = SIZE / Math.max(height, width);
    const side = (pixels: number) => Math.max(1, Math.round(pixels * scale));
    this.#size = [side(height), side(width)];
    this.#store = new ImageStore({
      root,
      preprocessing: { ...preprocessing, size: [...this.#size] },
      cacheBytes: 0,
      // only pictures with a score are shown, so that damaged ones were accepted before
      lenient: true,
    });
  }

  /** A PNG as a data URI, the same bytes on every machine; null when the picture can't be read. */
  async uri(image: string): Promise<string | null> {
    const [height, width] = this.#size;
    try {
      const grey = await this.#store.prepared(image);
      const white = whiteOf(grey);
      const pixels = Uint8Array.from(grey, (value) => {
        const shade = Math.round((value / white) * (SHADES - 1));
        return Math.round((shade * 255) / (SHADES - 1));
      });
      return `data:image/png;base64,${Buffer.from(encodeGreyPng(pixels, width, height)).toString('base64')}`;
    } catch (error) {
      if (error instanceof ImageError) return null;
      throw error;
    }
  }
}
