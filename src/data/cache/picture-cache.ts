import { join } from 'node:path';
import { writeFailure } from '../../storage/atomic-file.js';
import { formatByteSize } from '../../text/byte-size.js';
import { picturePool } from '../threads/picture-pool.js';
import type { CacheUse, MadePicture } from './cached-picture.js';

/**
 * A folder in which prepared pictures outlive the process. The files are named by digests alone, and only the user may
 * read them. Any number of processes can use the folder at the same time, and be killed at any moment.
 *
 * The limit is held by not adding beyond it. Room is made at the start of a run only, since an epoch visits every picture
 * once: what is thrown out on the way would be missed in the next epoch. Each process counts what it adds itself.
 */

export interface PictureCacheOptions {
  /** The cache is a folder of its own inside, `pictures-v1`. */
  readonly folder: string;
  /** Default 20 GiB. */
  readonly limitBytes?: number | undefined;
  /** Hears, once, that pictures aren't kept there any more, and why. Everything else goes on. */
  readonly onNote?: ((note: string) => void) | undefined;
}

export const defaultCacheBytes = 20 * 2 ** 30;

export class PictureCache {
  readonly folder: string;
  readonly limitBytes: number;
  readonly #note: (note: string) => void;
  #ready: Promise<void> | undefined;
  #told = false;
  #usable = true;
  #writable = true;
  #bytes = 0;
  #found = 0;
  #added = 0;

  /** Touches no file; the folder is made with the first picture. */
  constructor({ folder, limitBytes = defaultCacheBytes, onNote }: PictureCacheOptions) {
    this.folder = join(folder, 'pictures-v1');
    this.limitBytes = limitBytes;
    this.#note = onNote ?? (() => {});
  }

  /** Pictures that were found here, and that were added, by this process. */
  get counts(): { readonly found: number; readonly added: number } {
    return { found: this.#found, added: this.#added };
  }

  /** How the next picture may use the cache; null where it can't be used. */
  async use(): Promise<CacheUse | null> {
    this.#ready ??= this.#open();
    await this.#ready;
    if (!this.#usable) return null;
    return { folder: this.folder, mayWrite: this.#writable && this.#bytes < this.limitBytes };
  }

  /** Counts what came of a picture. */
  settle({ cached, written, refused }: MadePicture): void {
    if (cached) this.#found++;
    if (written > 0) {
      this.#added++;
      this.#bytes += written;
    }
    if (this.#bytes >= this.limitBytes) this.#tell(`it is full (${formatByteSize(this.limitBytes)})`);
    if (refused !== null) {
      this.#writable = false;
      this.#tell(refused);
    }
  }

  async #open(): Promise<void> {
    try {
      this.#bytes = await picturePool.sweep(this.folder, this.limitBytes);
    } catch (error) {
      this.#usable = false;
      this.#tell(`the folder can't be used: ${writeFailure(error)}`);
    }
  }

  /** Says why no more is kept, the first time. */
  #tell(reason: string): void {
    if (!this.#told) this.#note(`prepared pictures are not kept in ${this.folder}: ${reason}. See --cache.`);
    this.#told = true;
  }
}
