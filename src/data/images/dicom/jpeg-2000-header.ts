import { cutShort, damaged, ImageDamage } from '../image-decoder.js';

/**
 * The main header of a JPEG 2000 code stream (ISO/IEC 15444-1, annex A), as far as it decides how much memory decoding
 * takes: the size of picture and tiles, and into how many pieces each tile is cut.
 */
export interface Jpeg2000Header {
  readonly width: number;
  readonly height: number;
  readonly components: number;
  readonly precision: number;
}

const SIZE = 0xff51;
const CODING = 0xff52;
const COMPONENT_CODING = 0xff53;
const TILE_PART = 0xff90;
const END = [0xff, 0xd9];

/** Radiographs have one, or some dozens of tiles. OpenJPEG keeps 6 kB for each before it has read any. */
const MAX_TILES = 4096;
const MAX_LAYERS = 256;
/** Precincts (the pieces of a resolution) times quality layers in a tile: OpenJPEG keeps bytes for each. */
const MAX_PACKETS = 2_000_000;

/** @throws ImageDamage */
export function readJpeg2000Header(bytes: Uint8Array): Jpeg2000Header {
  if (bytes.length < 60 || bytes[0] !== 0xff || bytes[1] !== 0x4f) {
    throw damaged('DICOM file', 'its pixels are not a JPEG 2000 code stream');
  }
  // a piece of odd length is filled up with a zero
  const end = bytes.at(-1) === 0 ? bytes.length - 1 : bytes.length;
  if (bytes[end - 2] !== END[0] || bytes[end - 1] !== END[1]) throw cutShort('JPEG 2000 code stream', bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let size: (Jpeg2000Header & { tile: readonly [number, number] }) | undefined;
  for (let at = 2; at + 4 <= end; ) {
    const marker = view.getUint16(at);
    if (marker === TILE_PART) {
      if (size === undefined) break;
      return size;
    }
    const length = view.getUint16(at + 2);
    if (marker < 0xff00 || length < 2 || at + 2 + length > end) break;
    const content = new DataView(bytes.buffer, bytes.byteOffset + at + 4, length - 2);
    if (marker === SIZE) size = readSize(content);
    else if (marker === CODING && size !== undefined) requireFewPackets(content, size.tile);
    // one component needs no coding of its own, and a second place for these numbers would have to be checked as well
    else if (marker === COMPONENT_CODING) throw broken('it codes its only component in two ways');
    at += 2 + length;
  }
  throw broken('its main header is incomplete');
}

function readSize(content: DataView): Jpeg2000Header & { tile: readonly [number, number] } {
  if (content.byteLength < 37) throw broken('its size is incomplete');
  const number = (i: number) => content.getUint32(2 + 4 * i);
  const [right, bottom, left, top] = [number(0), number(1), number(2), number(3)];
  const [tileWidth, tileHeight, tileLeft, tileTop] = [number(4), number(5), number(6), number(7)];
  const [width, height] = [right - left, bottom - top];
  const components = content.getUint16(34);
  const [precision, stepX, stepY] = [content.getUint8(36), content.getUint8(37), content.getUint8(38)];
  const tiles = Math.ceil((right - tileLeft) / tileWidth) * Math.ceil((bottom - tileTop) / tileHeight);
  if (!(width > 0 && height > 0 && tileWidth > 0 && tileHeight > 0 && stepX === 1 && stepY === 1)) {
    throw broken(`it says ${width} × ${height} pixels`);
  }
  if (!(tiles <= MAX_TILES)) {
    throw new ImageDamage(
      'tooLarge',
      `its JPEG 2000 code stream has ${tiles} tiles; more than the ${MAX_TILES} allowed.`,
    );
  }
  return {
    width,
    height,
    components,
    precision: (precision & 127) + 1,
    tile: [Math.min(width, tileWidth), Math.min(height, tileHeight)],
  };
}

/** Of a tile: its resolutions, each in precincts of 2^PPx × 2^PPy, all of that for every quality layer. */
function requireFewPackets(content: DataView, [width, height]: readonly [number, number]): void {
  if (content.byteLength < 10) throw broken('its coding style is incomplete');
  const layers = content.getUint16(2);
  const levels = content.getUint8(5);
  const given = (content.getUint8(0) & 1) === 1;
  if (levels > 32 || (given && content.byteLength < 10 + levels + 1)) {
    throw broken(`it says ${levels} levels of resolution`);
  }
  let precincts = 0;
  for (let r = 0; r <= levels; r++) {
    const size = given ? content.getUint8(10 + r) : 0xff;
    const across = Math.ceil(width / 2 ** (levels - r) / 2 ** (size & 15));
    const down = Math.ceil(height / 2 ** (levels - r) / 2 ** (size >> 4));
    precincts += (across + 1) * (down + 1);
  }
  if (layers > MAX_LAYERS || precincts * layers > MAX_PACKETS) {
    throw new ImageDamage(
      'tooLarge',
      `its JPEG 2000 code stream is cut into ${precincts} pieces and ${layers} layers; more than is allowed.`,
    );
  }
}

function broken(detail: string): ImageDamage {
  return damaged('JPEG 2000 code stream', detail);
}
