import { damaged } from '../image-decoder.js';
import { isStartOfFrame, START_OF_SCAN } from '../jpeg-segments.js';

/** The segments of a JPEG or JPEG-LS code stream up to the first pixels, for the codings that libvips does not read. */
export interface JpegHeader {
  /** The code of the frame's segment, which tells the coding: 0xC3 lossless, 0xF7 JPEG-LS, … */
  readonly frame: number;
  readonly precision: number;
  readonly width: number;
  readonly height: number;
  readonly components: number;
  /** Contents of the segments before the pixels, by code; the last one of each table counts. */
  readonly segments: readonly { readonly code: number; readonly content: Uint8Array }[];
  /** Of the first scan. */
  readonly scan: Uint8Array;
  /** Where that scan's bits begin. */
  readonly start: number;
}

const JPEG_LS_FRAME = 0xf7;
/** A handful of tables are usual. */
const MAX_SEGMENTS = 1000;

/** @throws ImageDamage */
export function readJpegHeader(bytes: Uint8Array): JpegHeader {
  const segments: { code: number; content: Uint8Array }[] = [];
  let frame: { code: number; content: Uint8Array } | undefined;
  let at = 2;
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) throw broken('its pixels do not begin as a JPEG');
  while (segments.length < MAX_SEGMENTS) {
    while (bytes[at] === 0xff && bytes[at + 1] === 0xff) at++;
    const code = bytes[at + 1];
    const length = (bytes[at + 2] ?? 0) * 256 + (bytes[at + 3] ?? 0);
    const next = at + 2 + length;
    if (bytes[at] !== 0xff || code === undefined || length < 2 || next > bytes.length) break;
    const content = bytes.subarray(at + 4, next);
    if (code === START_OF_SCAN) {
      const [precision = 0, top = 0, bottom = 0, left = 0, right = 0, components = 0] = frame?.content ?? [];
      if (frame === undefined) break;
      return {
        frame: frame.code,
        precision,
        width: left * 256 + right,
        height: top * 256 + bottom,
        components,
        segments,
        scan: content,
        start: next,
      };
    }
    if (isStartOfFrame(code) || code === JPEG_LS_FRAME) frame ??= { code, content };
    segments.push({ code, content });
    at = next;
  }
  throw broken('the header of its JPEG pixels is incomplete');
}

function broken(detail: string) {
  return damaged('DICOM file', detail);
}
