import { createRequire } from 'node:module';
import { damaged, ImageDamage } from '../image-decoder.js';
import { type Codec, decodeInThread } from './codec-worker.js';
import { readJpeg2000Header } from './jpeg-2000-header.js';
import { readJpegHeader } from './jpeg-header.js';

/**
 * JPEG-LS and JPEG 2000, decoded by CharLS and OpenJPEG in WebAssembly. Each is loaded with the first picture that needs
 * it. A code stream says its own size, and the codecs believe it: it is held against the file's before they see it.
 */

/** Samples of 1 byte for up to 8 bits, of 2 bytes for more. */
export type CodecSamples = Uint8Array | Uint16Array;

type Size = readonly [width: number, height: number];

/** @throws ImageDamage */
export async function decodeJpegLs(bytes: Uint8Array, size: Size, seconds: number): Promise<CodecSamples> {
  const { frame, precision, ...own } = readJpegHeader(bytes);
  if (frame !== JPEG_LS_FRAME) throw damaged('DICOM file', 'its pixels are not JPEG-LS');
  requireSize('JPEG-LS', size, own);
  return decodeBy('JPEG-LS', charls(), bytes, size, precision, seconds);
}

/** @throws ImageDamage */
export async function decodeJpeg2000(bytes: Uint8Array, size: Size, seconds: number): Promise<CodecSamples> {
  const { precision, ...own } = readJpeg2000Header(bytes);
  requireSize('JPEG 2000', size, own);
  return decodeBy('JPEG 2000', openjpeg(), bytes, size, precision, seconds);
}

const JPEG_LS_FRAME = 0xf7;
/** A tenth of what OpenJPEG, the slower one, does on one core; a second core may be busy elsewhere. */
const PIXELS_A_SECOND = 300_000;
/** For starting a thread, however small the picture. */
const FIRST_SECONDS = 5;

const require = createRequire(import.meta.url);
const charls = once(() => ({
  script: require.resolve('@cornerstonejs/codec-charls/decodewasmjs'),
  wasm: require.resolve('@cornerstonejs/codec-charls/decodewasm'),
  className: 'JpegLSDecoder',
}));
const openjpeg = once(() => ({
  script: require.resolve('@cornerstonejs/codec-openjpeg/decodewasmjs'),
  wasm: require.resolve('@cornerstonejs/codec-openjpeg/decodewasm'),
  className: 'J2KDecoder',
}));

function once(find: () => Codec): () => Codec {
  let found: Codec | undefined;
  return () => {
    found ??= find();
    return found;
  };
}

function requireSize(
  name: string,
  [width, height]: Size,
  own: { readonly width: number; readonly height: number; readonly components: number },
): void {
  if (own.width !== width || own.height !== height) {
    const said = `it says ${width} × ${height} pixels, its ${name} code stream ${own.width} × ${own.height}`;
    throw damaged('DICOM file', said);
  }
  if (own.components !== 1)
    throw damaged('DICOM file', `its ${name} code stream has ${own.components} components`);
}

async function decodeBy(
  name: string,
  codec: Codec,
  stream: Uint8Array,
  [width, height]: Size,
  precision: number,
  seconds: number,
): Promise<CodecSamples> {
  const limit = Math.min(seconds, FIRST_SECONDS + (width * height) / PIXELS_A_SECOND);
  const decoded = await decodeInThread(codec, stream, limit);
  if (decoded === 'late') {
    const reason = `takes more than ${Number(limit.toFixed(1))} s to decode and was given up.`;
    throw new ImageDamage('tooLarge', reason);
  }
  const wide = precision > 8;
  if (
    decoded === null ||
    decoded.printed.some((line) => /error|warning|fail/i.test(line)) ||
    decoded.width !== width ||
    decoded.height !== height ||
    decoded.components !== 1 ||
    decoded.bytes.length !== width * height * (wide ? 2 : 1)
  ) {
    throw damaged('DICOM file', `its ${name} pixels do not decode`);
  }
  return wide ? new Uint16Array(decoded.bytes.buffer) : decoded.bytes;
}
