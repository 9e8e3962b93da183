import { crc32 } from '../../storage/crc32.js';
import {
  cutShort,
  damaged,
  ImageDamage,
  type ImageDecoder,
  type ImageHeader,
  type Samples,
} from './image-decoder.js';
import { sharpReason, sharpSamples } from './sharp-samples.js';

/**
 * PNG: a signature, then chunks of length, type, data and checksum. The header chunk comes first, the end chunk last.
 * libpng checks the checksums as it decodes but doesn't say which one failed, so the chunks are walked here again for
 * the message. Chunks with a small first letter may be ignored by the format's own rules; damage in those is.
 */
export const pngDecoder: ImageDecoder = {
  name: 'PNG',
  owns: (bytes) => SIGNATURE.every((byte, i) => bytes[i] === byte),
  readHeader,
  decode,
};

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Signature and header chunk. */
const HEADER_END = 33;

/** Samples of a pixel by colour type; a palette's colours are looked up by the decoder. */
const CHANNELS: Readonly<Record<number, 1 | 2 | 3 | 4>> = { 0: 1, 2: 3, 3: 3, 4: 2, 6: 4 };
/** Bits of a stored sample that each colour type may have. */
const DEPTHS: Readonly<Record<number, readonly number[]>> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};

function readHeader(bytes: Uint8Array): ImageHeader {
  if (bytes.length < HEADER_END) throw cutShort('PNG', bytes);
  const view = viewOf(bytes);
  if (view.getUint32(8) !== 13 || typeAt(bytes, 12) !== 'IHDR') {
    throw damaged('PNG', 'its first chunk is not the header');
  }
  if (!checksumHolds(bytes, 8, 13)) throw damaged('PNG', 'the checksum of its header does not hold');
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  const [depth, type, interlace] = [view.getUint8(24), view.getUint8(25), view.getUint8(28)];
  const colours = CHANNELS[type];
  if (width === 0 || height === 0 || colours === undefined || DEPTHS[type]?.includes(depth) !== true) {
    throw damaged('PNG', `its header says ${width} × ${height} pixels, colour type ${type}, ${depth} bits`);
  }
  const { flaw, transparent } = walk(bytes, false);
  const channels = transparent && colours % 2 === 1 ? ((colours + 1) as 2 | 4) : colours;
  const bits = depth === 16 ? 16 : 8;
  const samples = width * height * channels * (bits / 8);
  return { width, height, channels, bits, workingBytes: interlace === 0 ? 0 : samples, passes: 1, flaw };
}

async function decode(
  bytes: Uint8Array,
  header: ImageHeader,
  { lenient, seconds }: { lenient: boolean; seconds: number },
): Promise<Samples> {
  try {
    return await sharpSamples(bytes, header, { failOn: lenient ? 'none' : 'error', seconds });
  } catch (cause) {
    if (cause instanceof ImageDamage) throw cause;
    throw walk(bytes, true).flaw ?? damaged('PNG', detailOf(cause), { cause });
  }
}

/** "libpng read error" says nothing that a person could use. */
function detailOf(cause: unknown): string {
  const reason = sharpReason(cause);
  return /libpng read error/.test(reason)
    ? 'its compressed pixels end too early or do not decompress'
    : reason;
}

/** Follows the chunks to the end chunk; with `checksums`, those of chunks that matter are computed, too. */
function walk(bytes: Uint8Array, checksums: boolean): { flaw: ImageDamage | null; transparent: boolean } {
  const view = viewOf(bytes);
  let transparent = false;
  let at = SIGNATURE.length;
  while (at + 12 <= bytes.length) {
    const length = view.getUint32(at);
    const type = typeAt(bytes, at + 4);
    if (!/^[A-Za-z]{4}$/.test(type)) {
      return { flaw: damaged('PNG', `at byte ${at} there is no chunk where one should begin`), transparent };
    }
    if (at + 12 + length > bytes.length) break;
    if (checksums && /^[A-Z]/.test(type) && !checksumHolds(bytes, at, length)) {
      const where = `the ${type} chunk at byte ${at}, ${length} bytes long`;
      return { flaw: damaged('PNG', `the checksum of ${where}, does not hold`), transparent };
    }
    if (type === 'IEND') return { flaw: null, transparent };
    if (type === 'tRNS') transparent = true;
    at += 12 + length;
  }
  return { flaw: cutShort('PNG', bytes), transparent };
}

function checksumHolds(bytes: Uint8Array, at: number, length: number): boolean {
  return viewOf(bytes).getUint32(at + 8 + length) === crc32(bytes.subarray(at + 4, at + 8 + length));
}

function typeAt(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 4));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
