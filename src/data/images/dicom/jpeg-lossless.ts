import { damaged, ImageDamage } from '../image-decoder.js';
import { scanStretches } from '../jpeg-segments.js';
import { readJpegHeader } from './jpeg-header.js';

/**
 * Lossless JPEG of one component (ITU-T T.81, annex H): each sample is predicted from its neighbours to the left and
 * above, and the Huffman code of the difference's size is followed by the difference. libjpeg does not read it.
 */

export interface LosslessSamples {
  readonly width: number;
  readonly height: number;
  readonly values: Uint16Array;
  /** Of the values, from the first on; the rest is zero. */
  readonly decoded: number;
  /** What stopped the decoding. */
  readonly fault: string | null;
}

const LOSSLESS_FRAME = 0xc3;
const DEFINE_TABLES = 0xc4;
const RESTART_INTERVAL = 0xdd;

/**
 * @param size [width, height] that the picture must have, so that nothing larger is allocated
 * @throws ImageDamage for a header that can't be followed, or 'tooLarge' after `seconds`
 */
export function decodeLosslessJpeg(
  bytes: Uint8Array,
  size: readonly [width: number, height: number],
  seconds: number,
): LosslessSamples {
  const header = readJpegHeader(bytes);
  const { frame, precision, width, height, components, segments, scan } = header;
  const [count = 0, , choice = 0, predictor = 0, , shift = 0] = scan;
  if (frame !== LOSSLESS_FRAME) throw damaged('DICOM file', 'its pixels are not a lossless JPEG');
  if (width !== size[0] || height !== size[1]) {
    throw damaged('DICOM file', `it says ${size[0]} × ${size[1]} pixels, its JPEG ${width} × ${height}`);
  }
  const point = shift & 15;
  const possible = precision >= 2 && precision <= 16 && predictor >= 1 && predictor <= 7 && point < precision;
  if (components !== 1 || count !== 1 || !possible) {
    throw damaged(
      'DICOM file',
      `its lossless JPEG says ${components} components, ${precision} bits, predictor ${predictor}`,
    );
  }
  const codes = codesNumbered(segments, choice >> 4);
  if (codes === null) throw damaged('DICOM file', 'its lossless JPEG has no Huffman table');
  const restart = segments.findLast(({ code }) => code === RESTART_INTERVAL)?.content;
  const interval = restart === undefined ? 0 : (restart[0] ?? 0) * 256 + (restart[1] ?? 0);
  if (interval % width !== 0) throw damaged('DICOM file', 'its lossless JPEG restarts within a line');

  const values = new Uint16Array(width * height);
  const plan = { width, values, codes, predictor, first: 2 ** (precision - point - 1) };
  const deadline = performance.now() + seconds * 1000;
  let line = 0;
  let fault: string | null = null;
  for (const { start, end } of scanStretches(bytes, header.start)) {
    const lines = interval === 0 ? height : Math.min(interval / width, height - line);
    if (lines <= 0) break;
    const done = decodeLines(bytes, { start, end }, { ...plan, from: line, to: line + lines, deadline });
    line += done;
    if (done < lines) {
      if (performance.now() > deadline) {
        throw new ImageDamage('tooLarge', `takes more than ${seconds} s to decode and was given up.`);
      }
      fault = 'the data of its pixels end too early or hold a code that there is not';
      break;
    }
  }
  if (fault === null && line < height) fault = 'the data of its pixels end too early';
  if (point > 0) for (let i = 0; i < values.length; i++) values[i] = (values[i] ?? 0) << point;
  return { width, height, values, decoded: line * width, fault };
}

interface Lines {
  readonly width: number;
  readonly values: Uint16Array;
  readonly codes: Uint16Array;
  readonly predictor: number;
  /** What the very first sample is predicted to be. */
  readonly first: number;
  readonly from: number;
  readonly to: number;
  readonly deadline: number;
}

/** @returns how many lines could be decoded */
function decodeLines(
  bytes: Uint8Array,
  { start, end }: { start: number; end: number },
  { width, values, codes, predictor, first, from, to, deadline }: Lines,
): number {
  let at = start;
  let held = 0; // the next bits, in the low `count` ones
  let count = 0;
  let beyond = 0; // bits made up after the end
  for (let y = from; y < to; y++) {
    if ((y & 63) === 0 && performance.now() > deadline) return y - from;
    const row = y * width;
    for (let x = 0; x < width; x++) {
      while (count < 16) {
        const byte = at < end ? (bytes[at] as number) : 0;
        if (at >= end) beyond += 8;
        at += at >= end ? 0 : byte === 0xff ? 2 : 1;
        held = ((held << 8) | byte) & 0xffffff;
        count += 8;
      }
      const entry = codes[(held >> (count - 16)) & 0xffff] as number;
      if (entry === 0) return y - from;
      count -= entry & 0xff;
      const size = entry >> 8;
      let difference = 0;
      if (size === 16) difference = 32768;
      else if (size > 0) {
        while (count < size) {
          const byte = at < end ? (bytes[at] as number) : 0;
          if (at >= end) beyond += 8;
          at += at >= end ? 0 : byte === 0xff ? 2 : 1;
          held = ((held << 8) | byte) & 0xffffff;
          count += 8;
        }
        count -= size;
        const bits = (held >> count) & (2 ** size - 1);
        difference = bits < 2 ** (size - 1) ? bits - 2 ** size + 1 : bits;
      }
      const i = row + x;
      let predicted = first;
      if (y === from) {
        if (x > 0) predicted = values[i - 1] as number;
      } else if (x === 0) predicted = values[i - width] as number;
      else {
        const left = values[i - 1] as number;
        const above = values[i - width] as number;
        const corner = values[i - width - 1] as number;
        if (predictor === 1) predicted = left;
        else if (predictor === 2) predicted = above;
        else if (predictor === 3) predicted = corner;
        else if (predictor === 4) predicted = left + above - corner;
        else if (predictor === 5) predicted = left + ((above - corner) >> 1);
        else if (predictor === 6) predicted = above + ((left - corner) >> 1);
        else predicted = (left + above) >> 1;
      }
      values[i] = predicted + difference; // modulo 2¹⁶, as the standard has it
    }
    if (beyond > count) return y - from;
  }
  return to - from;
}

/** For every 16 bits that may come next: the difference's size in the high byte, the code's length in the low one. */
function codesNumbered(
  segments: readonly { readonly code: number; readonly content: Uint8Array }[],
  number: number,
): Uint16Array | null {
  let found: Uint16Array | null = null;
  for (const { code, content } of segments) {
    if (code !== DEFINE_TABLES) continue;
    for (let at = 0; at + 17 <= content.length; ) {
      const lengths = content.subarray(at + 1, at + 17);
      const symbols = lengths.reduce((sum, each) => sum + each, 0);
      if (content[at] === number) found = codesOf(lengths, content.subarray(at + 17, at + 17 + symbols));
      at += 17 + symbols;
    }
  }
  return found;
}

function codesOf(lengths: Uint8Array, symbols: Uint8Array): Uint16Array | null {
  const codes = new Uint16Array(65536);
  let [at, place] = [0, 0];
  for (const [i, n] of lengths.entries()) {
    const span = 2 ** (15 - i);
    for (let k = 0; k < n; k++) {
      const size = symbols[at++] ?? 255;
      if (size > 16) return null;
      codes.fill((size << 8) | (i + 1), place, place + span);
      place += span;
    }
  }
  return codes;
}
