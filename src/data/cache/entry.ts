import { createHash } from 'node:crypto';
import sharp from 'sharp';
import { crc32 } from '../../storage/crc32.js';
import type { GreyPixels, PreparedImage } from '../images/prepare.js';
import type { Preprocessing } from '../images/preprocessing.js';

/**
 * A prepared picture as a file: a header of 64 bytes, the pixels (filled up to whole words), then the note on damage.
 * The header has the entry's own name and a checksum over all the rest, so a file that is torn, foreign, renamed or rotten is
 * recognised, and counts as absent.
 */

/** Raise it whenever decoding or preparing comes to give other bytes for the same file. */
const PREPARATION = 1;

/** "TRPIC" and the version of this layout, as a little-endian machine reads it. */
const MAGIC = [0x49505254, 0x00010043];
const HEADER_BYTES = 64;
/** Notes are a sentence. */
const MOST_NOTE_BYTES = 4096;

/** Words of the header; the name takes the last eight. */
const WORD = { magic: 0, layout: 1, checksum: 2, bits: 3, height: 4, width: 5, noteBytes: 6, name: 8 };

/** What of a preprocessing decides the prepared bytes, and nothing else of it. */
export type Preparation = Pick<Preprocessing, 'size' | 'window' | 'resize' | 'bits'>;

/**
 * The name of the entry for a content and a preparation: SHA-256, in hexadecimal. The decoding library is part of it,
 * because JPEGs decoded by another version may differ in the last bit.
 * @param digest of the file's bytes
 */
export function entryName(
  digest: string,
  { size, window, resize, bits }: Preparation,
  pixelLimit: number,
): string {
  const { vips = '' } = sharp.versions;
  const decided = { form: PREPARATION, size, window, resize, bits, pixelLimit, vips };
  return createHash('sha256')
    .update(`${digest} ${JSON.stringify(decided)}`)
    .digest('hex');
}

/** The largest file that an entry can be. */
export function mostEntryBytes({ size: [height, width], bits }: Preparation): number {
  return HEADER_BYTES + wholeWords(height * width * (bits / 8)) + MOST_NOTE_BYTES;
}

/** The file in parts, to be written one after the other. */
export function packEntry(
  name: string,
  { size, bits }: Preparation,
  { grey, damage }: PreparedImage,
): Uint8Array[] {
  const pixels = new Uint8Array(grey.buffer, grey.byteOffset, grey.byteLength);
  const filled = new Uint8Array(wholeWords(grey.byteLength) - grey.byteLength);
  const note = new TextEncoder().encode(damage ?? '').subarray(0, MOST_NOTE_BYTES);
  const header = new Uint32Array(HEADER_BYTES / 4);
  header.set(MAGIC);
  header[WORD.bits] = bits;
  header.set(size, WORD.height);
  // one more, so that an empty note is a note
  header[WORD.noteBytes] = damage === null ? 0 : note.length + 1;
  const bytes = new Uint8Array(header.buffer);
  bytes.set(Buffer.from(name, 'hex'), 4 * WORD.name);
  const parts = [bytes, pixels, filled, note];
  header[WORD.checksum] = parts.reduce((before, part) => crc32(part, before), 0);
  return parts;
}

/** The picture in a file's bytes, as a view of them; null where they are not the whole entry of that name. */
export function unpackEntry(
  bytes: Uint8Array<ArrayBuffer>,
  name: string,
  { size: [height, width], bits }: Preparation,
): PreparedImage | null {
  const pixels = height * width;
  const noteAt = HEADER_BYTES + wholeWords(pixels * (bits / 8));
  if (bytes.byteOffset % 4 !== 0 || bytes.length < noteAt) return null;
  const header = new Uint32Array(bytes.buffer, bytes.byteOffset, HEADER_BYTES / 4);
  const sum = header[WORD.checksum] ?? 0;
  const noteBytes = header[WORD.noteBytes] ?? 0;
  header[WORD.checksum] = 0;
  if (
    crc32(bytes) !== sum ||
    header[WORD.magic] !== MAGIC[0] ||
    header[WORD.layout] !== MAGIC[1] ||
    header[WORD.bits] !== bits ||
    header[WORD.height] !== height ||
    header[WORD.width] !== width ||
    bytes.length !== noteAt + Math.max(noteBytes, 1) - 1 ||
    Buffer.from(bytes.subarray(4 * WORD.name, HEADER_BYTES)).toString('hex') !== name
  ) {
    return null;
  }
  const Pixels = bits === 8 ? Uint8Array : Uint16Array;
  const grey: GreyPixels = new Pixels(bytes.buffer, bytes.byteOffset + HEADER_BYTES, pixels);
  return { grey, damage: noteBytes === 0 ? null : new TextDecoder().decode(bytes.subarray(noteAt)) };
}

function wholeWords(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}
