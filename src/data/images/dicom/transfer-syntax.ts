/**
 * How a DICOM file writes its pixels. The standard (PS3.6, annex A) gives every way an identifier; those that are not
 * read are refused by their names. An identifier that is not in this table is never repeated in a message, because
 * anything may stand in its place in a damaged file.
 */

export type Coding = 'native' | 'big-endian' | 'rle' | 'jpeg' | 'jpeg-lossless' | 'jpeg-ls' | 'jpeg-2000';

export interface TransferSyntax {
  readonly name: string;
  /** Null for one that is not read. */
  readonly coding: Coding | null;
}

/** What follows "1.2.840.10008.1.2" in the identifier. */
const SYNTAXES: Readonly<Record<string, TransferSyntax>> = {
  '': { name: 'Implicit VR Little Endian', coding: 'native' },
  '.1': { name: 'Explicit VR Little Endian', coding: 'native' },
  '.2': { name: 'Explicit VR Big Endian', coding: 'big-endian' },
  '.5': { name: 'RLE Lossless', coding: 'rle' },
  '.4.50': { name: 'JPEG Baseline', coding: 'jpeg' },
  '.4.51': { name: 'JPEG Extended', coding: 'jpeg' },
  '.4.57': { name: 'JPEG Lossless', coding: 'jpeg-lossless' },
  '.4.70': { name: 'JPEG Lossless, first-order prediction', coding: 'jpeg-lossless' },
  '.4.80': { name: 'JPEG-LS Lossless', coding: 'jpeg-ls' },
  '.4.81': { name: 'JPEG-LS Near-Lossless', coding: 'jpeg-ls' },
  '.4.90': { name: 'JPEG 2000 Lossless', coding: 'jpeg-2000' },
  '.4.91': { name: 'JPEG 2000', coding: 'jpeg-2000' },
  '.1.99': { name: 'Deflated Explicit VR Little Endian', coding: null },
  '.1.98': { name: 'Encapsulated Uncompressed Explicit VR Little Endian', coding: null },
  '.4.53': { name: 'JPEG Spectral Selection', coding: null },
  '.4.55': { name: 'JPEG Full Progression', coding: null },
  '.4.92': { name: 'JPEG 2000 Multi-component Lossless', coding: null },
  '.4.93': { name: 'JPEG 2000 Multi-component', coding: null },
  '.4.94': { name: 'JPIP Referenced', coding: null },
  '.4.95': { name: 'JPIP Referenced Deflate', coding: null },
  '.4.100': { name: 'MPEG2 Main Profile / Main Level', coding: null },
  '.4.101': { name: 'MPEG2 Main Profile / High Level', coding: null },
  '.4.102': { name: 'MPEG-4 AVC/H.264', coding: null },
  '.4.103': { name: 'MPEG-4 AVC/H.264 BD-compatible', coding: null },
  '.4.107': { name: 'HEVC/H.265 Main Profile', coding: null },
  '.4.108': { name: 'HEVC/H.265 Main 10 Profile', coding: null },
  '.4.110': { name: 'JPEG XL Lossless', coding: null },
  '.4.111': { name: 'JPEG XL JPEG Recompression', coding: null },
  '.4.112': { name: 'JPEG XL', coding: null },
  '.4.201': { name: 'High-Throughput JPEG 2000 Lossless', coding: null },
  '.4.202': { name: 'High-Throughput JPEG 2000 with RPCL Options Lossless', coding: null },
  '.4.203': { name: 'High-Throughput JPEG 2000', coding: null },
};

const ROOT = '1.2.840.10008.1.2';
export const IMPLICIT_LITTLE_ENDIAN = ROOT;
export const EXPLICIT_LITTLE_ENDIAN = `${ROOT}.1`;

/** Null for an identifier that the table doesn't have. */
export function transferSyntaxOf(identifier: string): TransferSyntax | null {
  if (!identifier.startsWith(ROOT)) return null;
  const rest = identifier.slice(ROOT.length);
  return Object.hasOwn(SYNTAXES, rest) ? (SYNTAXES[rest] ?? null) : null;
}
