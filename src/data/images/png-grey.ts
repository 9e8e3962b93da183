import { endianness } from 'node:os';
import zlib from 'node:zlib';
import { crc32 } from '../../storage/crc32.js';

/**
 * Plain grey PNGs, 8 or 16 bits and not interlaced, as radiographs mostly are, decoded in the thread that asks. The
 * decoding library always works in libuv's four threads, however many cores there are and however many threads ask. It
 * still has the last word: whatever is unusual here, or amiss, is left to it (null), so that it alone decides on errors and on
 * everything that a PNG may be besides.
 *
 * PNG (ISO/IEC 15948): each row is a byte for its filter, then the row's bytes as differences from bytes to the left, above,
 * or both.
 */
export function decodeGreyPng(
  bytes: Uint8Array,
  { width, height }: { width: number; height: number },
): Uint8Array | Uint16Array | null {
  const [depth, type, compression, filter, interlace] = bytes.subarray(24, 29);
  const plain = type === 0 && compression === 0 && filter === 0 && interlace === 0;
  if (!plain || (depth !== 8 && depth !== 16)) return null;
  const data = imageData(bytes);
  const step = depth / 8;
  const raw = data && inflate(data, height * (width * step + 1));
  if (!raw || !unfilter(raw, { row: width * step, height, step })) return null;
  const plane = raw.subarray(0, height * width * step);
  if (depth === 8) return plane;
  if (endianness() === 'LE') plane.swap16();
  const { buffer, byteOffset } = plane.byteOffset % 2 === 0 ? plane : Uint8Array.from(plane);
  return new Uint16Array(buffer, byteOffset, height * width);
}

/** The compressed pixels; null where chunks come in an unusual order, or a checksum doesn't hold. */
function imageData(bytes: Uint8Array): Uint8Array | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Uint8Array[] = [];
  let before = '';
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const end = at + 8 + length;
    if (end + 4 > bytes.length || !/^[A-Za-z]{4}$/.test(type)) return null;
    if (type === 'IEND') return length === 0 ? concatenated(parts) : null;
    if (type === 'IDAT') {
      if (parts.length > 0 && before !== 'IDAT') return null;
      if (view.getUint32(end) !== crc32(bytes.subarray(at + 4, end))) return null;
      parts.push(bytes.subarray(at + 8, end));
    } else if (type === 'tRNS' || (type !== 'IHDR' && /^[A-Z]/.test(type))) {
      return null;
    }
    before = type;
    at = end + 4;
  }
  return null;
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array | null {
  const [only] = parts;
  return parts.length > 1 ? Buffer.concat(parts) : (only ?? null);
}

/** @param size in bytes; anything longer or shorter is none @returns memory that is nobody else's to read */
function inflate(data: Uint8Array, size: number): Buffer | null {
  // no deflated byte becomes more than that many: a header may promise anything
  if (data.length * 1032 < size) return null;
  try {
    // in one piece, with some room, so that zlib sees the end without asking for a second one
    const options = { info: true, chunkSize: Math.max(64, size + 32), maxOutputLength: size + 31 };
    const { buffer, engine } = zlib.inflateSync(data, options) as unknown as {
      buffer: Buffer;
      engine: { bytesWritten: number };
    };
    return buffer.length === size && engine.bytesWritten === data.length ? buffer : null;
  } catch {
    return null;
  }
}

/**
 * Undoes the filters in place: rows move up by their filters' bytes, to lie one behind the other.
 * @param step bytes from a pixel to the next @returns false for a filter that there is not
 */
function unfilter(
  raw: Uint8Array,
  { row, height, step }: { row: number; height: number; step: number },
): boolean {
  for (let y = 0; y < height; y++) {
    const to = y * row;
    const from = to + y + 1;
    // what lies left of and above the picture is 0
    const above = y === 0 ? null : to - row;
    switch (raw[from - 1]) {
      case 0:
        raw.copyWithin(to, from, from + row);
        break;
      case 1:
        unfilterSub(raw, { to, from, row, step });
        break;
      case 2:
        if (above === null) raw.copyWithin(to, from, from + row);
        else for (let k = 0; k < row; k++) raw[to + k] = at(raw, from + k) + at(raw, above + k);
        break;
      case 3:
        for (let k = 0; k < row; k++) {
          const left = k < step ? 0 : at(raw, to + k - step);
          const up = above === null ? 0 : at(raw, above + k);
          raw[to + k] = at(raw, from + k) + ((left + up) >> 1);
        }
        break;
      case 4:
        // without a row above, the predictor is the byte to the left
        if (above === null) unfilterSub(raw, { to, from, row, step });
        else unfilterPaeth(raw, { to, from, above, row, step });
        break;
      default:
        return false;
    }
  }
  return true;
}

interface Row {
  readonly to: number;
  readonly from: number;
  readonly row: number;
  readonly step: number;
}

function unfilterSub(raw: Uint8Array, { to, from, row, step }: Row): void {
  raw.copyWithin(to, from, from + Math.min(step, row));
  for (let k = step; k < row; k++) raw[to + k] = at(raw, from + k) + at(raw, to + k - step);
}

function unfilterPaeth(raw: Uint8Array, { to, from, above, row, step }: Row & { above: number }): void {
  // with nothing to the left, the predictor is the byte above
  for (let k = 0; k < step; k++) raw[to + k] = at(raw, from + k) + at(raw, above + k);
  for (let k = step; k < row; k++) {
    const left = at(raw, to + k - step);
    const up = at(raw, above + k);
    const corner = at(raw, above + k - step);
    const byLeft = Math.abs(up - corner);
    const byUp = Math.abs(left - corner);
    const byCorner = Math.abs(left + up - 2 * corner);
    const near = byLeft <= byUp && byLeft <= byCorner ? left : byUp <= byCorner ? up : corner;
    raw[to + k] = at(raw, from + k) + near;
  }
}

/** A byte that is there. */
function at(bytes: Uint8Array, i: number): number {
  return bytes[i] as number;
}
