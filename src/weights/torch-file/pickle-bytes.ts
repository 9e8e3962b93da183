import { TorchFileError } from './torch-file-error.js';

/** A text in a training checkpoint may be a whole configuration. */
const MAX_TEXT_BYTES = 2 ** 20;
const MAX_LINE_BYTES = 256;
/** Sizes and seeds have 8. */
const MAX_INTEGER_BYTES = 16;

/** The bytes of a pickle, read from the front; every operation checks that there are enough. */
export class PickleBytes {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get position(): number {
    return this.#position;
  }

  get left(): number {
    return this.#bytes.length - this.#position;
  }

  byte(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  uint16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  int32(): number {
    return this.#view.getInt32(this.#advance(4), true);
  }

  uint32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  uint64(): bigint {
    return this.#view.getBigUint64(this.#advance(8), true);
  }

  /** Big-endian, unlike all else. */
  float64(): number {
    return this.#view.getFloat64(this.#advance(8), false);
  }

  /** Two's complement in little-endian bytes; a number where it is one exactly. */
  integer(length: number): number | bigint {
    if (length > MAX_INTEGER_BYTES)
      this.fail(`an integer has ${length} bytes, more than ${MAX_INTEGER_BYTES}`);
    const begin = this.#advance(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.#bytes[begin + i] ?? 0);
    const signed = BigInt.asIntN(8 * length, value);
    const number = Number(signed);
    return Number.isSafeInteger(number) ? number : signed;
  }

  text(length: number): string {
    if (length > MAX_TEXT_BYTES) this.fail(`a text of ${length} bytes is longer than ${MAX_TEXT_BYTES}`);
    const begin = this.#advance(length);
    try {
      return UTF8.decode(this.#bytes.subarray(begin, begin + length));
    } catch {
      return this.fail('a text is not UTF-8');
    }
  }

  /** Up to the next line feed, which is read as well. */
  line(): string {
    const end = this.#bytes.subarray(this.#position, this.#position + MAX_LINE_BYTES).indexOf(0x0a);
    if (end < 0) this.fail(`a name has no end within ${MAX_LINE_BYTES} bytes`);
    const text = this.text(end);
    this.#advance(1);
    return text;
  }

  /** @throws TorchFileError always */
  fail(reason: string): never {
    throw new TorchFileError('damaged', `its pickle is broken at byte ${this.#position}: ${reason}.`);
  }

  #advance(length: number): number {
    if (length > this.left) this.fail(`${length} more bytes are needed, it has ${this.left}`);
    const begin = this.#position;
    this.#position += length;
    return begin;
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
