/**
 * Memory for decoding is lent from one budget for the whole process, however many data sets and commands decode at the
 * same time. A small file can hold a huge picture; several of those then wait for each other instead of filling the
 * memory.
 */

/** Bytes for all pictures in decoding together, and the most that one of them may need. */
export const decodeMemoryBytes = 2 ** 30;

export interface Lender {
  /** Runs `work` with `bytes` lent to it; they come back when it ends, well or badly. @throws RangeError */
  during<T>(bytes: number, work: () => Promise<T>): Promise<T>;
}

/** Lends out a fixed number of bytes; those who don't fit wait in the order in which they came. */
export class MemoryLender implements Lender {
  readonly #waiting: { readonly bytes: number; readonly start: () => void }[] = [];
  #free: number;

  /** @param bytes to lend out; nobody may ask for more */
  constructor(readonly bytes: number) {
    this.#free = bytes;
  }

  async during<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    if (!(bytes <= this.bytes)) throw new RangeError(`${bytes} bytes of ${this.bytes} can't be lent.`);
    if (this.#waiting.length > 0 || bytes > this.#free) {
      await new Promise<void>((start) => this.#waiting.push({ bytes, start }));
    } else {
      this.#free -= bytes;
    }
    try {
      return await work();
    } finally {
      this.#free += bytes;
      this.#admit();
    }
  }

  #admit(): void {
    for (
      let next = this.#waiting[0];
      next !== undefined && next.bytes <= this.#free;
      next = this.#waiting[0]
    ) {
      this.#waiting.shift();
      this.#free -= next.bytes;
      next.start();
    }
  }
}

/** Of the whole process; threads that decode borrow from the main thread's. */
export const decodeMemory = new MemoryLender(decodeMemoryBytes);
