import type { DecodeOptions } from './decode.js';
import { ImageError } from './image-error.js';
import { readPicture } from './image-source.js';
import { type GreyPixels, preparePicture } from './prepare.js';
import type { Preprocessing } from './preprocessing.js';

/**
 * An image folder, or an archive of pictures, seen through one preprocessing, with the prepared pictures kept in memory up to a budget. A picture
 * that doesn't fit is decoded again each time; nothing is ever evicted, because an epoch visits every picture once
 * and a least-recently-used cache smaller than the data set would throw out each picture just before its turn.
 */

/** Files in the making at once: what libuv's pool works on, so that waiting files don't pile up in memory. */
const filesAtOnce = 4;

export interface ImageStoreOptions extends Pick<DecodeOptions, 'pixelLimit' | 'lenient'> {
  /** Folder that image identifiers are relative to, or the archive that holds them (.npz). */
  root: string;
  preprocessing: Preprocessing;
  /** Bytes of prepared pictures to keep; default 1 GiB. 0 keeps none. */
  cacheBytes?: number;
}

export class ImageStore {
  readonly root: string;
  readonly preprocessing: Preprocessing;
  readonly #decoding: DecodeOptions;
  readonly #budget: number;
  readonly #kept = new Map<string, GreyPixels>();
  readonly #damage = new Map<string, string>();
  readonly #pending = new Map<string, Promise<GreyPixels>>();
  readonly #waiting: (() => void)[] = [];
  #working = 0;
  #bytes = 0;

  constructor({ root, preprocessing, cacheBytes = 2 ** 30, ...decoding }: ImageStoreOptions) {
    this.root = root;
    this.preprocessing = preprocessing;
    this.#decoding = decoding;
    this.#budget = cacheBytes;
  }

  /** Bytes of pictures kept now. */
  get cachedBytes(): number {
    return this.#bytes;
  }

  /**
   * The prepared picture of an identifier: [height, width], by `preprocessing.bits`. Shared: don't write to it.
   * @param line the table's line, for the error
   * @throws ImageError
   */
  async prepared(image: string, line?: number): Promise<GreyPixels> {
    const kept = this.#kept.get(image);
    if (kept !== undefined) return kept;
    let pending = this.#pending.get(image);
    if (pending === undefined) {
      pending = this.#prepare(image).finally(() => this.#pending.delete(image));
      this.#pending.set(image, pending);
    }
    try {
      return await pending;
    } catch (error) {
      throw error instanceof ImageError && line !== undefined ? error.atLine(line) : error;
    }
  }

  /** What is wrong with a picture that was prepared all the same (`lenient`); null for a sound one. */
  damageOf(image: string): string | null {
    return this.#damage.get(image) ?? null;
  }

  async #prepare(image: string): Promise<GreyPixels> {
    await this.#enter();
    try {
      const { name, picture } = await readPicture(this.root, image, this.#decoding);
      const { grey, damage } = preparePicture(picture, name, this.preprocessing);
      if (damage !== null) this.#damage.set(image, damage);
      if (this.#bytes + grey.byteLength <= this.#budget) {
        this.#kept.set(image, grey);
        this.#bytes += grey.byteLength;
      }
      return grey;
    } finally {
      this.#leave();
    }
  }

  async #enter(): Promise<void> {
    if (this.#working < filesAtOnce) this.#working++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Hands the place to the one who has waited longest. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#working--;
    else next();
  }
}
