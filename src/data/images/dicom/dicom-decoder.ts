import {
  type DecoderOptions,
  damaged,
  ImageDamage,
  type ImageDecoder,
  type ImageHeader,
  type Samples,
} from '../image-decoder.js';
import { jpegDecoder } from '../jpeg-decoder.js';
import { type DicomHeader, isDicom, missingPixels, readDicomHeader } from './dicom-header.js';
import { joinFragments } from './fragments.js';
import { greyValues } from './grey-values.js';
import { readJpegHeader } from './jpeg-header.js';
import { decodeLosslessJpeg } from './jpeg-lossless.js';
import { unpackRle } from './rle.js';
import { decodeJpeg2000, decodeJpegLs } from './wasm-codecs.js';

/**
 * DICOM: one grey frame of 8 or 16 bits, uncompressed or in one of the codings of transfer-syntax.ts. Nothing of the
 * file but its pixels and what they mean leaves this folder; dicom-header.ts says how.
 */
export const dicomDecoder: ImageDecoder = { name: 'DICOM', owns: isDicom, readHeader, decode };

function readHeader(bytes: Uint8Array): ImageHeader {
  const header = readDicomHeader(bytes);
  const { width, height, stored, length, start } = header;
  const flaw = length === null ? joinFragments(bytes, start).flaw : missingPixels(bytes, header);
  return {
    width,
    height,
    channels: 1,
    bits: stored > 8 ? 16 : 8,
    workingBytes: workingBytes(header, bytes.length),
    passes: 1,
    flaw,
  };
}

/** Beside the file and its grey values: the words of the file, the joined pieces, and the codecs' own. */
function workingBytes({ width, height, coding }: DicomHeader, fileBytes: number): number {
  const pixels = width * height;
  switch (coding) {
    case 'native':
    case 'big-endian':
      return 2 * pixels;
    case 'jpeg-2000':
      // OpenJPEG computes in 32 bits, of a tile and of the picture
      return 10 * pixels + 2 * fileBytes;
    default:
      return 4 * pixels + 2 * fileBytes;
  }
}

async function decode(bytes: Uint8Array, _: ImageHeader, options: DecoderOptions): Promise<Samples> {
  const header = readDicomHeader(bytes);
  if (header.length !== null) {
    const there = (8 * (bytes.length - header.start)) / header.allocated;
    const decoded = Math.min(header.width * header.height, Math.floor(there));
    return greyValues(nativeWords(bytes, header), header, { shifted: true, decoded });
  }
  const stream = joinFragments(bytes, header.start);
  if (stream.flaw !== null && !options.lenient) throw stream.flaw;
  return decodeStream(stream.bytes, header, options);
}

async function decodeStream(
  stream: Uint8Array,
  header: DicomHeader,
  options: DecoderOptions,
): Promise<Samples> {
  const { width, height, coding, allocated } = header;
  const size = [width, height] as const;
  switch (coding) {
    case 'rle': {
      const { raw, decoded, sound } = unpackRle(stream, width * height, allocated === 8 ? 1 : 2);
      if (!sound && !options.lenient) throw damaged('DICOM file', 'its RLE pixels end too early');
      const words = allocated === 8 ? raw : new Uint16Array(raw.buffer);
      return greyValues(words, header, { shifted: true, decoded });
    }
    case 'jpeg-lossless': {
      const { values, decoded, fault } = decodeLosslessJpeg(stream, size, options.seconds);
      if (fault !== null && !options.lenient) throw damaged('DICOM file', fault);
      return greyValues(values, header, { shifted: false, decoded });
    }
    case 'jpeg-ls':
      return greyValues(await decodeJpegLs(stream, size, options.seconds), header, { shifted: false });
    case 'jpeg-2000':
      return greyValues(await decodeJpeg2000(stream, size, options.seconds), header, { shifted: false });
    default:
      return greyValues(await decodeJpeg(stream, size, options), header, { shifted: false });
  }
}

/** The JPEG of 8 bits that all programs write, by the decoder of such files. */
async function decodeJpeg(
  stream: Uint8Array,
  [width, height]: readonly [number, number],
  options: DecoderOptions,
): Promise<Uint8Array> {
  const { precision } = readJpegHeader(stream);
  if (precision !== 8) {
    throw new ImageDamage(
      'unreadable',
      `is a DICOM file with JPEG of ${precision} bits, which is not read. Convert it to Explicit VR Little Endian, ` +
        'for example with gdcmconv --raw.',
    );
  }
  const header = jpegDecoder.readHeader(stream);
  if (header.width !== width || header.height !== height || header.channels !== 1) {
    const own = `${header.width} × ${header.height} pixels of ${header.channels} channels`;
    throw damaged('DICOM file', `it says ${width} × ${height} grey pixels, its JPEG ${own}`);
  }
  if (header.flaw !== null && !options.lenient) throw header.flaw;
  const { values } = await jpegDecoder.decode(stream, header, options);
  return Uint8Array.from(values);
}

/** Uncompressed pixels; zeros where the file ends before they do. */
function nativeWords(bytes: Uint8Array, header: DicomHeader): Uint8Array | Uint16Array {
  const { width, height, allocated, coding, swappedPairs, start } = header;
  const count = width * height;
  const there = Math.min(bytes.length - start, (count * allocated) / 8);
  if (allocated === 8) {
    if (!swappedPairs) {
      const words = new Uint8Array(count);
      words.set(bytes.subarray(start, start + there));
      return words;
    }
    return Uint8Array.from({ length: count }, (_, i) => bytes[start + (i ^ 1)] ?? 0);
  }
  const words = new Uint16Array(count);
  const [low, high] = coding === 'big-endian' ? [1, 0] : [0, 1];
  for (let i = 0, at = start; i < there >> 1; i++, at += 2) {
    words[i] = (bytes[at + low] as number) | ((bytes[at + high] as number) << 8);
  }
  return words;
}
