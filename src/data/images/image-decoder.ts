/**
 * The shape of a decoder. A new format is a new file with one of these, added to the list in decode.ts; limits, memory
 * and errors that name the file are that file's business and the same for all.
 */

export interface ImageDecoder {
  /** As in messages: "PNG". */
  readonly name: string;
  /** Whether a file is of this format, by its first bytes. */
  owns(bytes: Uint8Array): boolean;
  /** Reads what a file says of itself; decodes no pixel. @throws ImageDamage */
  readHeader(bytes: Uint8Array): ImageHeader;
  /** Decodes the pixels. @throws ImageDamage when anything is amiss, unless `lenient` */
  decode(bytes: Uint8Array, header: ImageHeader, options: DecoderOptions): Promise<Samples>;
}

export interface ImageHeader {
  readonly width: number;
  readonly height: number;
  /** Samples of a pixel: 1 grey; 2 grey and alpha; 3 colour; 4 colour and alpha, or CMYK. */
  readonly channels: 1 | 2 | 3 | 4;
  /** Bits of the decoded samples. */
  readonly bits: 8 | 16;
  /** Bytes that the decoder needs beside the samples, such as for the whole of an interlaced picture. */
  readonly workingBytes: number;
  /** How often the file passes over its pixels: the scans of a JPEG. */
  readonly passes: number;
  /** What is wrong with the file as a whole, as far as that shows without decoding; null where nothing is. */
  readonly flaw: ImageDamage | null;
}

export interface DecoderOptions {
  /** Hands out what can be decoded of a damaged file. */
  readonly lenient: boolean;
  /** Time after which decoding is stopped. */
  readonly seconds: number;
}

/** Interleaved samples, [height, width, channels]. */
export interface Samples {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly values: Uint8Array | Uint16Array;
  /** The largest value possible, where it is not that of the whole depth: 4095 of 12 bits. */
  readonly maximum?: number;
  /** The values that the file itself asks to be shown black and white. */
  readonly window?: readonly [low: number, high: number];
}

/** What is wrong with a file, without its path. */
export class ImageDamage extends Error {
  readonly kind: 'truncated' | 'unreadable' | 'tooLarge';

  constructor(kind: ImageDamage['kind'], reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.kind = kind;
  }
}

/** The damage of a file that ends too early. */
export function cutShort(name: string, bytes: Uint8Array, options?: ErrorOptions): ImageDamage {
  return new ImageDamage(
    'truncated',
    `the ${name} stops after ${bytes.length} bytes, before its end.`,
    options,
  );
}

/** The damage of a file that is whole in length, with what is wrong in it. */
export function damaged(name: string, detail: string, options?: ErrorOptions): ImageDamage {
  return new ImageDamage('unreadable', `the ${name} is damaged (${detail}).`, options);
}
