import type { PictureCache } from '../cache/picture-cache.js';
import { isNpz } from '../npz/npz-sheet.js';
import { picturePool } from '../threads/picture-pool.js';
import type { DecodeOptions } from './decode.js';
import { ImageError } from './image-error.js';
import { readPicture } from './image-source.js';
import { type GreyPixels, type PreparedImage, preparePicture } from './prepare.js';
import type { Preprocessing } from './preprocessing.js';

/**
 * An image folder, or an archive of pictures, seen through one preprocessing, with the prepared pictures kept in memory
 * up to a budget. A picture that doesn't fit is fetched again each time, from the cache folder or its file; nothing is ever evicted, because an epoch visits every picture once
 * and a least-recently-used cache smaller than the data set would throw out each picture just before its turn.
 */

export interface ImageStoreOptions extends Pick<DecodeOptions, 'pixelLimit' | 'lenient'> {
  /** Folder that image identifiers are relative to, or the archive that holds them (.npz). */
  root: string;
  preprocessing: Preprocessing;
  /** Bytes of prepared pictures to keep; default 1 GiB. 0 keeps none. */
  cacheBytes?: number;
  /** Keeps prepared pictures on the disk, too, for later starts. */
  cache?: PictureCache | undefined;
}

export class ImageStore {
  readonly root: string;
  readonly preprocessing: Preprocessing;
  readonly #decoding: DecodeOptions;
  readonly #budget: number;
  readonly #kept = new Map<string, GreyPixels>();
  readonly #damage = new Map<string, string>();
  readonly #pending = new Map<string, Promise<GreyPixels>>();
  readonly #cache: PictureCache | undefined;
  #bytes = 0;

  constructor({ root, preprocessing, cacheBytes = 2 ** 30, cache, ...decoding }: ImageStoreOptions) {
    this.root = root;
    this.preprocessing = preprocessing;
    this.#decoding = decoding;
    this.#budget = cacheBytes;
    this.#cache = cache;
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
    const { grey, damage } = await this.#make(image);
    if (damage !== null) this.#damage.set(image, damage);
    if (this.#bytes + grey.byteLength <= this.#budget) {
      this.#kept.set(image, grey);
      this.#bytes += grey.byteLength;
    }
    return grey;
  }

  async #make(image: string): Promise<PreparedImage> {
    const { root, preprocessing } = this;
    if (isNpz(root)) {
      // an archive is in memory already, its pictures are small, and nothing in it is to be decoded
      const { name, picture } = await readPicture(root, image, this.#decoding);
      return preparePicture(picture, name, preprocessing);
    }
    const cache = (await this.#cache?.use()) ?? null;
    const made = await picturePool.picture({ root, image, preprocessing, decoding: this.#decoding, cache });
    this.#cache?.settle(made);
    return made;
  }
}
