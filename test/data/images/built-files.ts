import { constants, deflateRawSync, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { crc32 } from '../../../src/storage/crc32.js';

/** Image files written byte by byte, so that they can hold what no encoder would write. */

/** A PNG of 16-bit samples, colour type 2 (RGB) or 6 (RGBA), written chunk by chunk. */
export function rawPng(samples: Uint16Array, height: number, width: number, colourType: 2 | 6): Buffer {
  const channels = colourType === 2 ? 3 : 4;
  const rows = Buffer.alloc(height * (1 + width * channels * 2));
  for (let y = 0, at = 0; y < height; y++) {
    at++; // filter type 0
    for (let x = 0; x < width * channels; x++) {
      at = rows.writeUInt16BE(samples[y * width * channels + x] ?? 0, at);
    }
  }
  return pngOf(width, height, 16, colourType, deflateSync(rows));
}

/** A valid header of a huge grey PNG with next to no data behind it. */
export function hugePng(side: number): Buffer {
  return pngOf(side, side, 8, 0, deflateSync(Buffer.alloc(side + 1)));
}

/** A PNG of zeros, as small as deflate makes it. */
export function zeroPng(
  width: number,
  height: number,
  depth: 8 | 16,
  colourType: 0 | 2 | 6,
  interlaced = false,
) {
  const bytes = ({ 0: 1, 2: 3, 6: 4 }[colourType] * depth) / 8;
  // an interlaced file has seven passes with rows of their own; a few filter bytes too many do no harm
  const rows = height * (width * bytes + 1) + (interlaced ? 2 * height + 16 : 0);
  return pngOf(width, height, depth, colourType, deflatedZeros(rows), { interlaced });
}

/** What deflate makes of `count` zeros, without having them: the same block again and again. */
function deflatedZeros(count: number): Buffer {
  const size = 2 ** 20;
  const zeros = (length: number) =>
    deflateRawSync(Buffer.alloc(length), { finishFlush: constants.Z_FULL_FLUSH });
  const block = zeros(size);
  const checksum = Buffer.from([0, 0, 0, 1]); // Adler-32 of zeros: their number and 1
  checksum.writeUInt16BE(count % 65521);
  return Buffer.concat([
    Buffer.from([0x78, 0x01]),
    ...Array.from({ length: Math.floor(count / size) }, () => block),
    zeros(count % size),
    Buffer.from([0x03, 0x00]),
    checksum,
  ]);
}

export function pngOf(
  width: number,
  height: number,
  depth: number,
  colourType: number,
  data: Buffer,
  { interlaced = false, extra = [] as readonly Buffer[] } = {},
): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = depth;
  header[9] = colourType;
  header[12] = interlaced ? 1 : 0;
  const signature = Buffer.from('89504e470d0a1a0a', 'hex');
  return Buffer.concat([
    signature,
    pngChunk('IHDR', header),
    ...extra,
    pngChunk('IDAT', data),
    pngChunk('IEND', Buffer.alloc(0)),
  ]);
}

export function pngChunk(type: string, body: Buffer): Buffer {
  const out = Buffer.alloc(body.length + 12);
  out.writeUInt32BE(body.length, 0);
  out.write(type, 4, 'latin1');
  body.copy(out, 8);
  out.writeUInt32BE(crc32(out.subarray(4, body.length + 8)), body.length + 8);
  return out;
}

/** A JPEG of grey or colour values, [side, side, channels]. */
export async function jpegOf(
  samples: Uint8Array,
  side: number,
  { channels = 1, progressive = false }: { channels?: 1 | 3; progressive?: boolean } = {},
): Promise<Buffer> {
  return sharp(samples, { raw: { width: side, height: side, channels } })
    .toColourspace(channels === 1 ? 'b-w' : 'srgb')
    .jpeg({ quality: 90, progressive })
    .toBuffer();
}

/** Where each scan of a JPEG begins and where its bits end. */
export function scansOf(jpeg: Buffer): [start: number, end: number][] {
  const isMarker = (at: number) =>
    jpeg[at] === 0xff && !(jpeg[at + 1] === 0 || ((jpeg[at + 1] ?? 0) & 0xf8) === 0xd0);
  const scans: [number, number][] = [];
  let at = 2;
  while (jpeg[at + 1] !== 0xd9) {
    let end = at + 2 + jpeg.readUInt16BE(at + 2);
    if (jpeg[at + 1] === 0xda) {
      while (!isMarker(end)) end++;
      scans.push([at, end]);
    }
    at = end;
  }
  return scans;
}

export const END_OF_IMAGE = Buffer.from([0xff, 0xd9]);

/** A copy with some bytes replaced. */
export function withBytes(file: Buffer, at: number, bytes: Uint8Array): Buffer {
  const copy = Buffer.from(file);
  copy.set(bytes.subarray(0, copy.length - at), at);
  return copy;
}
