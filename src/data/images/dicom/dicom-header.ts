import { createRequire } from 'node:module';
import type { DataSet } from 'dicom-parser';
import { cutShort, damaged, ImageDamage } from '../image-decoder.js';
import {
  type Coding,
  EXPLICIT_LITTLE_ENDIAN,
  IMPLICIT_LITTLE_ENDIAN,
  transferSyntaxOf,
} from './transfer-syntax.js';

/**
 * The part of a DICOM file that says how its pixels are to be read. This is the only file that sees the rest: the
 * patient's name, numbers and dates are in the parser's data set, which is dropped here. What leaves is the interface
 * below, all numbers, and errors in words of our own. The parser's errors hold the data set, so that none of them is
 * passed on, not even as a cause.
 */
export interface DicomHeader {
  readonly width: number;
  readonly height: number;
  readonly coding: Coding;
  /** Bits of a sample's place in the file, and of the value in it, whose highest bit is `highBit`. */
  readonly allocated: 8 | 16;
  readonly stored: number;
  readonly highBit: number;
  /** Values are two's complement. */
  readonly signed: boolean;
  /** Small values are white once the file's rescaling is done: MONOCHROME1, or a negative slope, but not both. */
  readonly inverted: boolean;
  /** In stored values, before any inversion: what becomes black and white; null where the file gives no linear window. */
  readonly window: readonly [low: number, high: number] | null;
  /** Samples of 8 bits came in words of 16, most significant first. */
  readonly swappedPairs: boolean;
  /** Where the pixels' element has its content, and its length; null where that is unknown, as for fragments. */
  readonly start: number;
  readonly length: number | null;
}

const PIXEL_DATA = 'x7fe00010';
/** All that stands before the pixels: some kilobytes as a rule. Parsed, empty items take a hundred times their bytes. */
const MAX_HEADER_BYTES = 4 * 2 ** 20;

/** Whether a file is DICOM: a preamble of 128 bytes and "DICM", or a bare data set that begins with its usual group. */
export function isDicom(bytes: Uint8Array): boolean {
  return hasPreamble(bytes) || bareSyntaxOf(bytes) !== null;
}

/** @throws ImageDamage */
export function readDicomHeader(bytes: Uint8Array): DicomHeader {
  const data = parse(bytes);
  const pixels = data.elements[PIXEL_DATA];
  if (pixels === undefined) {
    // the parser stops where the file does, or at the bound
    if (bytes.length > MAX_HEADER_BYTES) throw tooLongHeader();
    throw new ImageDamage('unreadable', 'the DICOM file holds no picture (it has no Pixel Data).');
  }
  const { coding, name } = codingOf(data);
  requireOneGreyFrame(data);
  const [height, width] = [data.uint16('x00280010') ?? 0, data.uint16('x00280011') ?? 0];
  if (width === 0 || height === 0) throw damaged('DICOM file', `it says ${width} × ${height} pixels`);
  const depth = depthOf(data);
  const unknownLength = pixels.length === 0xffffffff;
  const encapsulated = coding !== 'native' && coding !== 'big-endian';
  if (unknownLength !== encapsulated) {
    const found = unknownLength ? 'in compressed pieces' : 'uncompressed';
    throw damaged('DICOM file', `its pixels are ${found}, its transfer syntax is ${name}`);
  }
  return {
    width,
    height,
    coding,
    ...depth,
    ...shadesOf(data, depth),
    swappedPairs: coding === 'big-endian' && depth.allocated === 8 && pixels.vr !== 'OB',
    start: pixels.dataOffset,
    length: unknownLength ? null : pixels.length,
  };
}

function hasPreamble(bytes: Uint8Array): boolean {
  return bytes[128] === 0x44 && bytes[129] === 0x49 && bytes[130] === 0x43 && bytes[131] === 0x4d;
}

/** The transfer syntax of a data set without a preamble, told by its first element, which is of group 0008. */
function bareSyntaxOf(bytes: Uint8Array): string | null {
  const [a, b, element = 255, d, e = 0, f = 0, g, h] = bytes;
  if (bytes.length < 16 || a !== 8 || b !== 0 || element > 0x20 || d !== 0) return null;
  const isLetter = (byte: number) => byte >= 0x41 && byte <= 0x5a;
  if (isLetter(e) && isLetter(f)) return EXPLICIT_LITTLE_ENDIAN;
  return f < 4 && g === 0 && h === 0 ? IMPLICIT_LITTLE_ENDIAN : null;
}

/** Everything up to the pixels. */
function parse(bytes: Uint8Array): DataSet {
  const require = createRequire(import.meta.url);
  // loaded with the first DICOM file, so that others don't wait for it
  const { parseDicom }: typeof import('dicom-parser') = require('dicom-parser');
  const bare = hasPreamble(bytes) ? null : bareSyntaxOf(bytes);
  let deflated = false;
  try {
    return parseDicom(bytes.subarray(0, MAX_HEADER_BYTES), {
      untilTag: PIXEL_DATA,
      ...(bare !== null && { TransferSyntaxUID: bare }),
      inflater: () => {
        deflated = true;
        throw new Error('not inflated'); // the parser would inflate without a limit
      },
    });
  } catch {
    if (deflated) throw refusedSyntax('Deflated Explicit VR Little Endian');
    if (bytes.length > MAX_HEADER_BYTES) throw tooLongHeader();
    throw new ImageDamage(
      'truncated',
      `the DICOM file is damaged or cut short: its ${bytes.length} bytes end before its pixels.`,
    );
  }
}

function tooLongHeader(): ImageDamage {
  return new ImageDamage(
    'tooLarge',
    `the DICOM file is damaged, or more than ${MAX_HEADER_BYTES} bytes stand before its pixels, which is the limit.`,
  );
}

function codingOf(data: DataSet): { coding: Coding; name: string } {
  const bare = data.elements.x00020010?.length === undefined;
  const syntax = transferSyntaxOf(
    bare ? EXPLICIT_LITTLE_ENDIAN : (data.string('x00020010') ?? '').replace(/\0+$/, ''),
  );
  if (syntax?.coding == null) throw refusedSyntax(syntax?.name ?? null);
  return { coding: syntax.coding, name: syntax.name };
}

function refusedSyntax(name: string | null): ImageDamage {
  return refused(
    name === null ? 'an unknown transfer syntax' : `the transfer syntax ${name}`,
    'Convert it to Explicit VR Little Endian, for example with gdcmconv --raw, or export it as 16-bit PNG',
  );
}

function refused(what: string, remedy: string): ImageDamage {
  return new ImageDamage('unreadable', `is a DICOM file with ${what}, which is not read. ${remedy}.`);
}

const COLOURS: ReadonlySet<string> = new Set([
  'RGB',
  'PALETTE COLOR',
  'YBR_FULL',
  'YBR_FULL_422',
  'YBR_PARTIAL_420',
  'YBR_PARTIAL_422',
  'YBR_ICT',
  'YBR_RCT',
  'ARGB',
  'CMYK',
  'HSV',
]);

function requireOneGreyFrame(data: DataSet): void {
  const frames = data.intString('x00280008') ?? 1;
  if (frames > 1) {
    throw refused(
      'several frames',
      'A radiograph has one: write the frames that are meant as files of their own',
    );
  }
  const samples = data.uint16('x00280002') ?? 1;
  const shades = photometricOf(data);
  if (COLOURS.has(shades) || samples !== 1) {
    const name = COLOURS.has(shades) ? `colour (${shades})` : `${samples} samples a pixel`;
    throw refused(name, 'Radiographs are MONOCHROME1 or MONOCHROME2: export this one as PNG');
  }
  if (shades !== 'MONOCHROME1' && shades !== 'MONOCHROME2') {
    throw refused(
      `${shades === '' ? 'no' : 'an unknown'} Photometric Interpretation`,
      'Whether small values are black or white is unclear: export it as PNG',
    );
  }
  if (data.elements.x00283000 !== undefined) {
    throw refused('a Modality LUT Sequence', 'Export it as 16-bit PNG with that table applied');
  }
}

function photometricOf(data: DataSet): string {
  return (data.string('x00280004') ?? '').replace(/\0+$/, '').trim();
}

type Depth = Pick<DicomHeader, 'allocated' | 'stored' | 'highBit' | 'signed'>;

function depthOf(data: DataSet): Depth {
  const allocated = data.uint16('x00280100') ?? 0;
  if (allocated !== 8 && allocated !== 16) {
    throw refused(`${allocated} bits allocated to a pixel`, 'Convert it to 8 or 16');
  }
  const stored = data.uint16('x00280101') ?? allocated;
  const highBit = data.uint16('x00280102') ?? stored - 1;
  if (stored < 1 || stored > allocated || highBit < stored - 1 || highBit >= allocated) {
    throw damaged(
      'DICOM file',
      `it says ${stored} bits stored of ${allocated} allocated, the highest being bit ${highBit}`,
    );
  }
  return { allocated, stored, highBit, signed: data.uint16('x00280103') === 1 };
}

/** Photometric interpretation, rescaling and window. */
function shadesOf(data: DataSet, { stored, signed }: Depth): Pick<DicomHeader, 'inverted' | 'window'> {
  const slope = data.floatString('x00281053') ?? 1;
  const intercept = data.floatString('x00281052') ?? 0;
  if (!Number.isFinite(slope) || !Number.isFinite(intercept) || slope === 0) {
    throw damaged('DICOM file', 'its Rescale Slope or Rescale Intercept is no number to scale by');
  }
  const inverted = (photometricOf(data) === 'MONOCHROME1') !== slope < 0;
  const rescaled = linearWindow(data);
  if (rescaled === null) return { inverted, window: null };
  const [one, other] = rescaled.map((value) => (value - intercept) / slope) as [number, number];
  const offset = signed ? 2 ** (stored - 1) : 0;
  return { inverted, window: [Math.min(one, other) + offset, Math.max(one, other) + offset] };
}

/** The first window of the file, in rescaled values: PS3.3, C.11.2.1.2. */
function linearWindow(data: DataSet): [low: number, high: number] | null {
  const centre = data.floatString('x00281050', 0) ?? Number.NaN;
  const width = data.floatString('x00281051', 0) ?? Number.NaN;
  const shape = (data.string('x00281056') ?? 'LINEAR').replace(/\0+$/, '').trim();
  const usable = Number.isFinite(centre) && Number.isFinite(width);
  if (shape === 'LINEAR' && usable && width > 1) {
    return [centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2];
  }
  if (shape === 'LINEAR_EXACT' && usable && width > 0) return [centre - width / 2, centre + width / 2];
  return null;
}

/** The bytes of uncompressed pixels as far as they are there, or null where the file is whole in that respect. */
export function missingPixels(bytes: Uint8Array, header: DicomHeader): ImageDamage | null {
  const { width, height, allocated, start, length } = header;
  if (length === null) return null;
  const needed = (width * height * allocated) / 8;
  if (length < needed) {
    return damaged(
      'DICOM file',
      `its pixels take ${needed} bytes, and it says that it has ${length} of them`,
    );
  }
  return bytes.length - start < needed ? cutShort('DICOM file', bytes) : null;
}
