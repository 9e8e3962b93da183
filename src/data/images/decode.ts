import { open } from 'node:fs/promises';
import sharp, { type Metadata } from 'sharp';
import { ImageError } from './image-error.js';

/**
 * From a PNG or JPEG file to the grey values that stand in it, at the depth they were stored in. The decoder is asked
 * for each file's own colour space, so nothing is converted, gamma-corrected or narrowed to 8 bits on the way; colour
 * profiles and orientation tags are ignored, as PIL ignores them.
 */

export interface GreyImage {
  readonly width: number;
  readonly height: number;
  /** 255 or 65535. */
  readonly maximum: number;
  /** [height, width] */
  readonly pixels: Uint8Array | Uint16Array;
}

/** 100 megapixels: six times the largest radiographs, and 200 MB at 16 bits. */
export const defaultPixelLimit = 100_000_000;

const maxFileBytes = 2 ** 30;

/**
 * Reads and decodes one image file. Colour becomes grey by ITU-R 601 luma in integers (PIL's `convert('L')`), which
 * leaves R = G = B exactly as it is; transparency is ignored, for radiographs carry it without meaning.
 * @throws ImageError of any kind but 'unsafePath' and 'blank'
 */
export async function decodeImage(path: string, pixelLimit = defaultPixelLimit): Promise<GreyImage> {
  const bytes = await readImageBytes(path);
  return decodeImageBytes(bytes, path, pixelLimit);
}

/** Decodes an image that is already in memory; `path` is for messages. @throws ImageError */
export async function decodeImageBytes(
  bytes: Uint8Array,
  path: string,
  pixelLimit = defaultPixelLimit,
): Promise<GreyImage> {
  const format = formatOf(bytes);
  if (format === null)
    throw new ImageError('notAnImage', path, `is neither PNG nor JPEG (${describe(bytes)}).`);
  const header = await readHeader(bytes, path, format);
  const { width, height } = header;
  if (width * height > pixelLimit) {
    throw new ImageError(
      'tooLarge',
      path,
      `is ${width} × ${height} pixels; more than the ${pixelLimit} allowed, so it was not decoded.`,
    );
  }
  const deep = header.depth === 'ushort';
  const colour = header.channels >= 3;
  const space = deep ? (colour ? 'rgb16' : 'grey16') : colour ? 'srgb' : 'b-w';
  try {
    const { data, info } = await sharp(bytes, {
      failOn: 'error',
      limitInputPixels: pixelLimit,
      ignoreIcc: true,
    })
      .toColourspace(space)
      .raw({ depth: deep ? 'ushort' : 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const samples = deep ? new Uint16Array(data.buffer, data.byteOffset, data.length / 2) : data;
    return {
      width: info.width,
      height: info.height,
      maximum: deep ? 65535 : 255,
      pixels: toGrey(samples, info.width * info.height, info.channels),
    };
  } catch (cause) {
    throw damaged(bytes, path, format, cause);
  }
}

async function readImageBytes(path: string): Promise<Uint8Array> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, 'r');
  } catch (cause) {
    const code = codeOf(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new ImageError('missing', path, 'no such file.', undefined, { cause });
    }
    throw new ImageError('unreadable', path, `cannot be opened (${code}).`, undefined, { cause });
  }
  try {
    const { size } = await file.stat();
    if (size === 0) throw new ImageError('empty', path, 'the file has zero bytes.');
    if (size > maxFileBytes) throw new ImageError('tooLarge', path, `the file has ${size} bytes.`);
    return await file.readFile();
  } catch (cause) {
    if (cause instanceof ImageError) throw cause;
    throw new ImageError('unreadable', path, `cannot be read (${codeOf(cause)}).`, undefined, { cause });
  } finally {
    await file.close();
  }
}

type Format = 'png' | 'jpeg';

function formatOf(bytes: Uint8Array): Format | null {
  const png = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
  if (png.every((byte, i) => bytes[i] === byte)) return 'png';
  return bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff ? 'jpeg' : null;
}

function describe(bytes: Uint8Array): string {
  const start = Buffer.from(bytes.subarray(0, 24));
  const dicom = Buffer.from(bytes.subarray(128, 132)).toString('latin1') === 'DICM';
  if (dicom) return 'it is a DICOM file; export it as 16-bit PNG';
  const text = start.toString('latin1');
  return /^[\t\n\r\x20-\x7e]*$/.test(text)
    ? `it starts with the text ${JSON.stringify(text)}`
    : `it starts with the bytes ${start.subarray(0, 8).toString('hex')}`;
}

async function readHeader(bytes: Uint8Array, path: string, format: Format): Promise<Metadata> {
  try {
    return await sharp(bytes, { limitInputPixels: false }).metadata();
  } catch (cause) {
    throw damaged(bytes, path, format, cause);
  }
}

/** Cut short, or damaged inside? A whole PNG ends with an IEND chunk, a whole JPEG with an end-of-image marker. */
function damaged(bytes: Uint8Array, path: string, format: Format, cause: unknown): ImageError {
  const end = Buffer.from(bytes.subarray(Math.max(0, bytes.length - 64)));
  const whole = format === 'png' ? end.includes('IEND') : end.includes(Buffer.from([0xff, 0xd9]));
  const name = format.toUpperCase();
  const detail =
    cause instanceof Error ? (cause.message.split('\n')[0] ?? '').replace(/:$/, '') : String(cause);
  return whole
    ? new ImageError('unreadable', path, `the ${name} is damaged (${detail}).`, undefined, { cause })
    : new ImageError(
        'truncated',
        path,
        `the ${name} stops after ${bytes.length} bytes, before its end.`,
        undefined,
        {
          cause,
        },
      );
}

/** Interleaved samples of 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha) channels to one plane. */
function toGrey(
  samples: Uint8Array | Uint16Array,
  count: number,
  channels: number,
): Uint8Array | Uint16Array {
  if (channels === 1) return samples;
  const grey = samples instanceof Uint16Array ? new Uint16Array(count) : new Uint8Array(count);
  if (channels === 2) {
    for (let i = 0; i < count; i++) grey[i] = samples[2 * i] ?? 0;
    return grey;
  }
  for (let i = 0, at = 0; i < count; i++, at += channels) {
    const luma = 19595 * (samples[at] ?? 0) + 38470 * (samples[at + 1] ?? 0) + 7471 * (samples[at + 2] ?? 0);
    grey[i] = Math.floor((luma + 32768) / 65536);
  }
  return grey;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
