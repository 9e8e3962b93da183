import {
  cutShort,
  damaged,
  ImageDamage,
  type ImageDecoder,
  type ImageHeader,
  type Samples,
} from './image-decoder.js';
import { entropyFault } from './jpeg-entropy.js';
import { eachSegment, isStartOfFrame, START_OF_SCAN } from './jpeg-segments.js';
import { sharpReason, sharpSamples } from './sharp-samples.js';

/**
 * JPEG: segments that begin with 0xFF and a code, and after each "start of scan" the pixels' own bits. The format has
 * no checksum. Damage shows where the bits run out or are left over (a warning of libjpeg's, and an error here), or
 * where scans are missing, which libjpeg doesn't mind. libvips does not ask for warnings after the last rows, so the
 * bits of the usual kind of file are counted in jpeg-entropy.ts as well.
 */
export const jpegDecoder: ImageDecoder = {
  name: 'JPEG',
  owns: (bytes) => bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff,
  readHeader,
  decode,
};

function readHeader(bytes: Uint8Array): ImageHeader {
  let frame: Frame | undefined;
  let passes = 0;
  const end = eachSegment(bytes, (code, segment) => {
    if (isStartOfFrame(code)) frame ??= readFrame(code, segment);
    if (code !== START_OF_SCAN) return;
    passes++;
    if (frame !== undefined) noteScan(frame, segment);
  });
  if (frame === undefined) {
    throw end === 'end' ? damaged('JPEG', 'it says no size') : cutShort('JPEG', bytes);
  }
  const { width, height, channels, progressive } = frame;
  return {
    width,
    height,
    channels,
    bits: 8,
    // a progressive file's coefficients, 16 bits each, are kept until the last scan
    workingBytes: progressive || passes > 1 ? 2 * width * height * channels : 0,
    passes,
    flaw: end === 'cut' ? cutShort('JPEG', bytes) : missingScans(frame),
  };
}

async function decode(
  bytes: Uint8Array,
  header: ImageHeader,
  { lenient, seconds }: { lenient: boolean; seconds: number },
): Promise<Samples> {
  // libvips decodes in threads of its own while the bits are counted in this one
  const decoding = sharpSamples(bytes, header, { failOn: lenient ? 'none' : 'warning', seconds });
  const fault = lenient ? null : entropyFault(bytes);
  try {
    const samples = await decoding;
    if (fault === null) return samples;
  } catch (cause) {
    if (cause instanceof ImageDamage) throw cause;
    throw damaged('JPEG', fault ?? sharpReason(cause).replace(/^VipsJpeg: (Corrupt JPEG data: )?/, ''), {
      cause,
    });
  }
  throw damaged('JPEG', fault);
}

interface Frame {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 2 | 3 | 4;
  readonly progressive: boolean;
  /** By the component's number: for each of the 64 coefficients, how many of its low bits are still to come. */
  readonly missing: Map<number, Uint8Array>;
}

/** More than the 13 low bits that a scan can leave for later. */
const NEVER_SEEN = 255;

function readFrame(code: number, segment: Uint8Array): Frame {
  const [, high = 0, low = 0, left = 0, right = 0, components = 0] = segment;
  const [width, height] = [left * 256 + right, high * 256 + low];
  if (components < 1 || components > 4 || segment.length < 6 + 3 * components) {
    throw damaged('JPEG', `its header says ${components} components`);
  }
  if (width === 0 || height === 0) {
    throw damaged('JPEG', `its header says ${width} × ${height} pixels`);
  }
  const numbers = Array.from({ length: components }, (_, i) => segment[6 + 3 * i] ?? 0);
  return {
    width,
    height,
    channels: components as Frame['channels'],
    progressive: code === 0xc2 || code === 0xc6 || code === 0xca || code === 0xce,
    missing: new Map(numbers.map((number) => [number, new Uint8Array(64).fill(NEVER_SEEN)])),
  };
}

/** Notes which bits of which coefficients a scan brings: number of components, 2 bytes each, first, last, bits. */
function noteScan({ progressive, missing }: Frame, segment: Uint8Array): void {
  const count = segment[0] ?? 0;
  const [first = 0, last = 63, bits = 0] = segment.subarray(1 + 2 * count);
  for (let i = 0; i < count; i++) {
    const coefficients = missing.get(segment[1 + 2 * i] ?? -1);
    if (progressive) coefficients?.fill(bits & 15, first, last + 1);
    else coefficients?.fill(0);
  }
}

function missingScans({ missing }: Frame): ImageDamage | null {
  const whole = [...missing.values()].every((coefficients) => coefficients.every((bits) => bits === 0));
  return whole ? null : damaged('JPEG', 'scans are missing that would make the picture whole');
}
