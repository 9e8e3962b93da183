import { type ByteSource, bytesSource } from '../../../src/weights/torch-file/byte-source.js';

/** A source that keeps count of all that is read of it. */
export class CountingSource implements ByteSource {
  readonly size: number;
  readonly #bytes: ByteSource;
  total = 0;
  largest = 0;
  closed = false;

  constructor(bytes: Uint8Array) {
    this.size = bytes.length;
    this.#bytes = bytesSource(bytes);
  }

  read(position: number, target: Uint8Array): Promise<void> {
    this.total += target.length;
    this.largest = Math.max(this.largest, target.length);
    return this.#bytes.read(position, target);
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}
