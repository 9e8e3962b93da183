import { RegularFileError, readRegularFile } from '../../storage/regular-file.js';
import { formatByteSize } from '../../text/byte-size.js';
import { decodeMemory, decodeMemoryBytes, type Lender } from './decode-memory.js';
import { dicomDecoder } from './dicom/dicom-decoder.js';
import { ImageDamage, type ImageDecoder, type ImageHeader, type Samples } from './image-decoder.js';
import { ImageError } from './image-error.js';
import { jpegDecoder } from './jpeg-decoder.js';
import { pngDecoder } from './png-decoder.js';

/**
 * From an image file to the grey values that stand in it, at the depth they were stored in. The header is read first,
 * and decoding starts only when the picture is within all limits and there is memory for it.
 */

export interface GreyImage {
  readonly width: number;
  readonly height: number;
  /** The largest value possible: 255 or 65535; of a DICOM file also what its bits allow, such as 4095. */
  readonly maximum: number;
  /** [height, width] */
  readonly pixels: Uint8Array | Uint16Array;
  /** The values that the file itself asks to be shown black and white (DICOM); they need not lie in its range. */
  readonly window?: readonly [low: number, high: number];
  /** What is wrong with the file, where damaged ones are accepted; absent for a sound file. */
  readonly damage?: string;
}

export interface DecodeOptions {
  /** Pixels above which a file is refused undecoded; default 100 megapixels. */
  pixelLimit?: number;
  /** Accept a damaged file as far as it can be decoded; the rest is black or grey. */
  lenient?: boolean;
  /** Seconds after which decoding is stopped; default 120, far more than the largest picture takes. */
  seconds?: number;
  /** Who lends the memory for it; default: this thread's share of the process. */
  memory?: Lender;
}

/** All formats that are read. A new one is added here. */
const decoders: readonly ImageDecoder[] = [pngDecoder, jpegDecoder, dicomDecoder];

/** 100 megapixels: six times the largest radiographs, and 200 MB at 16 bits. */
export const defaultPixelLimit = 100_000_000;
/** Pixels of a side. A picture of 1 × 100,000,000 is within all other limits and takes half a minute. */
const maxSide = 32_768;
/** Progressive JPEGs have about ten scans. Thousands are legal, and each passes over the whole picture. */
const maxPasses = 64;
/** Pixels times passes: a picture of 100 megapixels may have 15. */
const maxPassedPixels = 1_500_000_000;

/**
 * Reads and decodes one image file. Colour becomes grey by ITU-R 601 luma in integers (PIL's `convert('L')`), which
 * leaves R = G = B exactly as it is; transparency is ignored, for radiographs carry it without meaning.
 * @throws ImageError of any kind but 'unsafePath' and 'blank'
 */
export async function decodeImage(path: string, options: DecodeOptions = {}): Promise<GreyImage> {
  return decodeImageBytes(await readImageBytes(path), path, options);
}

/** Decodes an image that is already in memory; `path` is for messages. @throws ImageError */
export async function decodeImageBytes(
  bytes: Uint8Array,
  path: string,
  options: DecodeOptions = {},
): Promise<GreyImage> {
  const decoder = decoderOf(bytes, path);
  const { lenient = false, seconds = 120, pixelLimit = defaultPixelLimit, memory = decodeMemory } = options;
  try {
    const header = decoder.readHeader(bytes);
    const excess = excessOf(header, bytes.length, pixelLimit);
    if (excess !== null) throw new ImageError('tooLarge', path, `${excess}, so it was not decoded.`);
    if (header.flaw !== null && !lenient) throw header.flaw;
    return await memory.during(memoryOf(header, bytes.length), async () => {
      const { samples, damage } = await decodeSamples(decoder, bytes, header, { lenient, seconds });
      return { ...greyOf(samples), ...(damage !== null && { damage }) };
    });
  } catch (cause) {
    if (!(cause instanceof ImageDamage)) throw cause;
    throw new ImageError(cause.kind, path, cause.message, undefined, { cause });
  }
}

/** The size of a picture as its header gives it; nothing is decoded. @throws ImageError */
export async function readImageSize(path: string): Promise<{ width: number; height: number }> {
  const bytes = await readImageBytes(path);
  try {
    const { width, height } = decoderOf(bytes, path).readHeader(bytes);
    return { width, height };
  } catch (cause) {
    if (!(cause instanceof ImageDamage)) throw cause;
    throw new ImageError(cause.kind, path, cause.message, undefined, { cause });
  }
}

function decoderOf(bytes: Uint8Array, path: string): ImageDecoder {
  const decoder = decoders.find((each) => each.owns(bytes));
  if (decoder !== undefined) return decoder;
  throw new ImageError('notAnImage', path, `is neither PNG, JPEG nor DICOM (${describe(bytes)}).`);
}

/** A damaged file is decoded strictly first, so that `lenient` changes nothing for sound files and knows what to note. */
async function decodeSamples(
  decoder: ImageDecoder,
  bytes: Uint8Array,
  header: ImageHeader,
  { lenient, seconds }: { lenient: boolean; seconds: number },
): Promise<{ samples: Samples; damage: string | null }> {
  let damage = header.flaw;
  if (damage === null) {
    try {
      return { samples: await decoder.decode(bytes, header, { lenient: false, seconds }), damage: null };
    } catch (error) {
      if (!lenient || !(error instanceof ImageDamage) || error.kind === 'tooLarge') throw error;
      damage = error;
    }
  }
  const samples = await decoder.decode(bytes, header, { lenient: true, seconds });
  return { samples, damage: damage.message };
}

/** Which limit a picture exceeds, in words; null where it exceeds none. */
function excessOf(header: ImageHeader, fileBytes: number, pixelLimit: number): string | null {
  const { width, height, passes } = header;
  const size = `is ${width} × ${height} pixels`;
  if (width * height > pixelLimit) return `${size}; more than the ${pixelLimit} allowed`;
  if (Math.max(width, height) > maxSide) return `${size}; more than the ${maxSide} allowed for a side`;
  if (passes > maxPasses) return `has ${passes} scans; more than the ${maxPasses} allowed`;
  if (passes * width * height > maxPassedPixels) {
    return `${size} in ${passes} scans; more than the ${maxPassedPixels} pixels allowed in all scans together`;
  }
  const bytes = memoryOf(header, fileBytes);
  return bytes <= decodeMemoryBytes
    ? null
    : `${size} and takes ${formatByteSize(bytes)} to decode; more than the ${formatByteSize(decodeMemoryBytes)} allowed`;
}

/** Bytes in use at most while a file is decoded: the file, the decoder's own, the samples, and the grey plane. */
function memoryOf({ width, height, channels, bits, workingBytes }: ImageHeader, fileBytes: number): number {
  const plane = width * height * (bits / 8);
  return fileBytes + workingBytes + plane * channels + (channels > 1 ? plane : 0);
}

/** The bytes of an image file, undecoded. @throws ImageError */
export async function readImageBytes(path: string): Promise<Uint8Array> {
  let bytes: Buffer;
  try {
    bytes = await readRegularFile(path, { maxBytes: decodeMemoryBytes });
  } catch (cause) {
    if (!(cause instanceof RegularFileError)) throw cause;
    const { code, reason } = cause;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new ImageError('missing', path, 'no such file.', undefined, { cause });
    }
    throw new ImageError(code === 'TOO_LARGE' ? 'tooLarge' : 'unreadable', path, reason, undefined, {
      cause,
    });
  }
  if (bytes.length === 0) throw new ImageError('empty', path, 'the file has zero bytes.');
  return bytes;
}

function describe(bytes: Uint8Array): string {
  const start = Buffer.from(bytes.subarray(0, 1024)).toString('latin1');
  const text = start.slice(0, 24);
  // only of a file that goes on as text: a piece of a DICOM file may begin within the patient's name
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are the point
  return /^[\t\n\r\x20-\x7e]*$/.test(text) && !/[\0-\x08]/.test(start)
    ? `it starts with the text ${JSON.stringify(text)}`
    : `it starts with the bytes ${Buffer.from(bytes.subarray(0, 4)).toString('hex')}`;
}

/** Interleaved samples of 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha) channels to one plane. */
export function greyOf({ width, height, channels, values, ...grey }: Samples): GreyImage {
  const deep = values instanceof Uint16Array;
  const maximum = deep ? 65535 : 255;
  if (channels === 1) return { width, height, maximum, pixels: values, ...grey };
  const count = width * height;
  const pixels = deep ? new Uint16Array(count) : new Uint8Array(count);
  if (channels === 2) {
    for (let i = 0; i < count; i++) pixels[i] = values[2 * i] ?? 0;
    return { width, height, maximum, pixels };
  }
  for (let i = 0, at = 0; i < count; i++, at += channels) {
    const luma = 19595 * (values[at] ?? 0) + 38470 * (values[at + 1] ?? 0) + 7471 * (values[at + 2] ?? 0);
    pixels[i] = Math.floor((luma + 32768) / 65536);
  }
  return { width, height, maximum, pixels };
}
