import { resolveImage } from '../tables/image-path.js';
import { defaultPixelLimit } from './decode.js';
import { ImageError } from './image-error.js';
import { prepareImage } from './prepare.js';
import type { Preprocessing } from './preprocessing.js';

/**
 * An image folder seen through one preprocessing, with the prepared pictures kept in memory up to a budget. A picture
 * that doesn't fit is decoded again each time; nothing is ever evicted, because an epoch visits every picture once
 * and a least-recently-used cache smaller than the data set would throw out each picture just before its turn.
 */

/** Files in the making at once: what libuv's pool works on, so that waiting files don't pile up in memory. */
const filesAtOnce = 4;

export interface ImageStoreOptions {
  /** Folder that image identifiers are relative to. */
  root: string;
  preprocessing: Preprocessing;
  /** Bytes of prepared pictures to keep; default 1 GiB. 0 keeps none. */
  cacheBytes?: number;
  /** Pixels above which a file is refused undecoded; default 100 megapixels. */
  pixelLimit?: number;
}

export class ImageStore {
  readonly root: string;
  readonly preprocessing: Preprocessing;
  readonly #pixelLimit: number;
  readonly #budget: number;
  readonly #kept = new Map<string, Uint16Array>();
  readonly #pending = new Map<string, Promise<Uint16Array>>();
  readonly #waiting: (() => void)[] = [];
  #working = 0;
  #bytes = 0;

  constructor(options: ImageStoreOptions) {
    this.root = options.root;
    this.preprocessing = options.preprocessing;
    this.#pixelLimit = options.pixelLimit ?? defaultPixelLimit;
    this.#budget = options.cacheBytes ?? 2 ** 30;
  }

  /** Bytes of pictures kept now. */
  get cachedBytes(): number {
    return this.#bytes;
  }

  /**
   * The prepared picture of an identifier: [height, width], 0…65535 for 0…1. Shared: don't write to it.
   * @param line the table's line, for the error
   * @throws ImageError
   */
  async prepared(image: string, line?: number): Promise<Uint16Array> {
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

  async #prepare(image: string): Promise<Uint16Array> {
    await this.#enter();
    try {
      const path = await resolveImage(this.root, image);
      const picture = await prepareImage(path, this.preprocessing, this.#pixelLimit);
      if (this.#bytes + picture.byteLength <= this.#budget) {
        this.#kept.set(image, picture);
        this.#bytes += picture.byteLength;
      }
      return picture;
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
