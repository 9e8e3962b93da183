/**
 * PNG in plain JavaScript: grey (8 or 16 bits), RGB (8 bits), or of a few colours. Written here rather than by libvips because
 * compressors built with vector instructions choose different matches on different processors, and phantoms promise the
 * same bytes everywhere.
 */
import { zlibSync } from 'fflate';
import { crc32 } from '../../storage/crc32.js';

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const NO_FILTER = 0;
const SUB_FILTER = 1;
/** Colour types of the header. */
const GREY = 0;
const RGB = 2;
const PALETTE_COLOUR = 3;

/** @param pixels [height, width] row by row; 16-bit for a Uint16Array, 8-bit for a Uint8Array */
export function encodeGreyPng(pixels: Uint16Array | Uint8Array, width: number, height: number): Uint8Array {
  if (pixels.length !== width * height) {
    throw new RangeError(`${pixels.length} pixels do not make a ${width}×${height} image`);
  }
  const bytes = pixels instanceof Uint16Array ? 2 : 1;
  const data = zlibSync(filterRows(pixels, width, height, bytes), { level: 6 });
  return png([chunk('IHDR', header(width, height, 8 * bytes, GREY)), chunk('IDAT', data)]);
}

/** @param pixels [height, width, 3], 8 bits */
export function encodeRgbPng(pixels: Uint8Array, width: number, height: number): Uint8Array {
  if (pixels.length !== 3 * width * height) {
    throw new RangeError(`${pixels.length} values do not make a ${width}×${height} image of three colours`);
  }
  const stride = 1 + 3 * width;
  const rows = new Uint8Array(height * stride);
  for (let row = 0; row < height; row++) {
    rows[row * stride] = SUB_FILTER;
    for (let i = 0; i < 3 * width; i++) {
      const left = i < 3 ? 0 : (pixels[3 * row * width + i - 3] as number);
      rows[row * stride + 1 + i] = (pixels[3 * row * width + i] as number) - left;
    }
  }
  return png([chunk('IHDR', header(width, height, 8, RGB)), chunk('IDAT', zlibSync(rows, { level: 6 }))]);
}

/**
 * A picture of up to 16 colours.
 * @param indices [height, width] row by row, into the palette
 * @param palette red, green, blue and opacity, 0 to 255
 */
export function encodePalettePng(
  indices: Uint8Array,
  width: number,
  height: number,
  palette: readonly (readonly [red: number, green: number, blue: number, opacity: number])[],
): Uint8Array {
  if (palette.length > 16) throw new RangeError(`${palette.length} colours; 4 bits a pixel hold 16`);
  if (indices.length !== width * height || indices.some((index) => index >= palette.length)) {
    throw new RangeError(`these indices do not make a ${width}×${height} image of ${palette.length} colours`);
  }
  const stride = 1 + Math.ceil(width / 2);
  const rows = new Uint8Array(height * stride);
  for (let y = 0; y < height; y++) {
    rows[y * stride] = NO_FILTER;
    for (let x = 0; x < width; x++) {
      const index = indices[y * width + x] as number;
      const at = y * stride + 1 + (x >> 1);
      rows[at] = (rows[at] as number) | (x % 2 === 0 ? index << 4 : index);
    }
  }
  return png([
    chunk('IHDR', header(width, height, 4, PALETTE_COLOUR)),
    chunk('PLTE', Uint8Array.from(palette.flatMap((colour) => colour.slice(0, 3)))),
    chunk(
      'tRNS',
      Uint8Array.from(palette, ([, , , opacity]) => opacity),
    ),
    chunk('IDAT', zlibSync(rows, { level: 9 })),
  ]);
}

function header(width: number, height: number, bits: number, colour: number): Uint8Array {
  const bytes = new Uint8Array(13);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  bytes[8] = bits;
  bytes[9] = colour;
  return bytes;
}

function png(chunks: readonly Uint8Array[]): Uint8Array {
  const parts = [...chunks, chunk('IEND', new Uint8Array(0))];
  const file = new Uint8Array(parts.reduce((size, part) => size + part.length, SIGNATURE.length));
  file.set(SIGNATURE);
  let offset = SIGNATURE.length;
  for (const part of parts) {
    file.set(part, offset);
    offset += part.length;
  }
  return file;
}

/** Big-endian samples, each byte minus the same byte of the pixel to its left (PNG filter 1). */
function filterRows(
  pixels: Uint16Array | Uint8Array,
  width: number,
  height: number,
  bytes: number,
): Uint8Array {
  const stride = 1 + width * bytes;
  const rows = new Uint8Array(height * stride);
  for (let row = 0; row < height; row++) {
    let out = row * stride;
    rows[out++] = SUB_FILTER;
    let left = 0;
    for (let column = 0; column < width; column++) {
      const value = pixels[row * width + column] as number;
      if (bytes === 2) rows[out++] = (value >> 8) - (left >> 8);
      rows[out++] = (value & 0xff) - (left & 0xff);
      left = value;
    }
  }
  return rows;
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) bytes[4 + i] = type.charCodeAt(i);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}
