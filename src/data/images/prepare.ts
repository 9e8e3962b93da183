import { type DecodeOptions, decodeImage, type GreyImage } from './decode.js';
import { ImageError } from './image-error.js';
import type { Preprocessing } from './preprocessing.js';
import { resizeBilinear } from './resize.js';

/**
 * From a decoded radiograph to the small picture that the network is shown: window, resize, round to 8 or 16
 * bits (`preprocessing.bits`). The rounding is part of the definition, so that a picture from the cache and one decoded
 * again are the same bytes; at 1/65535 it is lossless for 8-bit files that keep their size, and far below what any file
 * holds otherwise.
 */

/** Prepared grey values, by `preprocessing.bits`: 0…255, or 0…65535, for 0…1. */
export type GreyPixels = Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;

/** Room for `length` black pixels; the memory below it ends with a whole word (see `packedWords`). */
export function greyPixels(bits: Preprocessing['bits'], length: number): GreyPixels {
  const memory = new ArrayBuffer(4 * Math.ceil((length * bits) / 32));
  return bits === 8 ? new Uint8Array(memory, 0, length) : new Uint16Array(memory, 0, length);
}

/**
 * Pixels as the device takes them (kernels/image): several pixels a word, the first one lowest. Bits after the
 * last pixel mean nothing. A view, where the pixels begin with a word and their memory ends with one; else a copy.
 */
export function packedWords(pixels: GreyPixels): Uint32Array<ArrayBuffer> {
  const words = Math.ceil(pixels.byteLength / 4);
  const whole = pixels.byteOffset % 4 === 0 && pixels.byteOffset + 4 * words <= pixels.buffer.byteLength;
  if (whole) return new Uint32Array(pixels.buffer, pixels.byteOffset, words);
  const copy = new Uint32Array(words);
  new Uint8Array(copy.buffer).set(new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength));
  return copy;
}

/** The grey value that stands for 1. */
export function whiteOf(pixels: GreyPixels): 255 | 65535 {
  return pixels instanceof Uint8Array ? 255 : 65535;
}

/** About how many pixels the percentiles are taken from. */
const sampleSize = 2000;

/** A file as the network's preprocessing wants it. */
export interface PreparedImage {
  /** [height, width] */
  readonly grey: GreyPixels;
  /** What is wrong with the file, where damaged ones are accepted; null for a sound file. */
  readonly damage: string | null;
}

/** Decodes and prepares one file. @throws ImageError */
export async function prepareImage(
  path: string,
  preprocessing: Preprocessing,
  options: DecodeOptions = {},
): Promise<PreparedImage> {
  return preparePicture(await decodeImage(path, options), path, preprocessing);
}

/** Prepares what was decoded; `path` is for messages. @throws ImageError for a picture in which there is nothing to see */
export function preparePicture(image: GreyImage, path: string, preprocessing: Preprocessing): PreparedImage {
  if (isFlat(image)) {
    if (image.damage !== undefined) {
      throw new ImageError('unreadable', path, `nothing of it can be decoded: ${image.damage}`);
    }
    throw new ImageError(
      'blank',
      path,
      `all ${image.width} × ${image.height} pixels have the value ${image.pixels[0]}: there is nothing to see.`,
    );
  }
  return { grey: prepareGrey(image, preprocessing), damage: image.damage ?? null };
}

/** Window, resize and rounding of a decoded image. @returns [height, width] */
export function prepareGrey(image: GreyImage, preprocessing: Preprocessing): GreyPixels {
  const [height, width] = preprocessing.size;
  const [low, high] = windowOf(image, preprocessing.window);
  const look = new Float32Array(image.maximum + 1);
  for (let v = 0; v < look.length; v++) look[v] = Math.min(1, Math.max(0, (v - low) / (high - low)));
  const rounded = greyPixels(preprocessing.bits, height * width);
  const white = whiteOf(rounded);
  // the array cuts off: the same as Math.round for values that aren't negative, in a tenth of the time
  if (image.width === width && image.height === height) {
    const { pixels } = image;
    for (let i = 0; i < rounded.length; i++) rounded[i] = (look[pixels[i] as number] ?? 0) * white + 0.5;
  } else {
    const resized = resizeBilinear(image, height, width, look);
    for (let i = 0; i < rounded.length; i++) rounded[i] = (resized[i] as number) * white + 0.5;
  }
  return rounded;
}

/**
 * The file's values that become 0 and 1. Percentiles follow numpy's linear definition, on every k-th pixel of every
 * k-th row with k chosen so that 2,000 pixels or more are looked at.
 */
export function windowOf(image: GreyImage, window: Preprocessing['window']): [low: number, high: number] {
  if (window.kind === 'full') return [0, image.maximum];
  if (window.kind === 'dicom' && image.window !== undefined) return [...image.window];
  const step = Math.max(1, Math.floor(Math.sqrt((image.width * image.height) / sampleSize)));
  const sample: number[] = [];
  for (let y = step >> 1; y < image.height; y += step) {
    for (let x = step >> 1; x < image.width; x += step) sample.push(image.pixels[y * image.width + x] ?? 0);
  }
  const sorted = Float64Array.from(sample).sort();
  const low = percentile(sorted, window.low);
  const high = percentile(sorted, window.high);
  if (low < high) return [low, high];
  // a picture that is flat but for a few pixels (a marker on black): what range there is, is the window
  let [least, most] = [image.maximum, 0];
  for (const value of image.pixels) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  return least < most ? [least, most] : [0, image.maximum];
}

function percentile(sorted: Float64Array, percent: number): number {
  const at = ((sorted.length - 1) * percent) / 100;
  const below = Math.floor(at);
  const low = sorted[below] ?? 0;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] ?? low;
  return low + (high - low) * (at - below);
}

function isFlat(image: GreyImage): boolean {
  const first = image.pixels[0];
  return image.pixels.every((value) => value === first);
}
