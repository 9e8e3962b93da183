import { describe, expect, test } from 'vitest';
import { decodeImageBytes } from '../../../../src/data/images/decode.js';
import { ImageError } from '../../../../src/data/images/image-error.js';
import { mutated } from '../../mutated.js';
import { dicomFiles, identifiersIn, refusedDicomFiles } from './dicom-files.js';

/** Damaged and hostile DICOM files: an error in plain words, in little time and memory, and nothing of the patient. */

const all = [...dicomFiles.map(({ name, file }) => ({ name, file })), ...refusedDicomFiles];
/** Each damaged one costs a thread of its own. */
const inThreads = all.filter((each) => 'name' in each && /^JPEG-LS|^JPEG 2000/.test(each.name));
const others = all.filter((each) => !inThreads.includes(each));

async function outcome(file: Buffer, lenient = false): Promise<string> {
  try {
    const { pixels, width, height } = await decodeImageBytes(file, 'a.dcm', { lenient, seconds: 1 });
    expect(pixels).toHaveLength(width * height);
    return 'decoded';
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    expect(identifiersIn(error)).toEqual([]);
    expect(error.reason).toMatch(/^[A-Za-z].{20,}\.$/s);
    return error.kind;
  }
}

describe('2,000 damaged files', () => {
  test('give a picture or a clear error without an identifier', { timeout: 120_000 }, async () => {
    const before = process.memoryUsage().rss;
    const kinds = new Map<string, number>();
    for (let seed = 0; seed < 2000; seed++) {
      const from = seed % 40 === 0 ? inThreads : others;
      const { file } = from[Math.floor(seed / (seed % 40 === 0 ? 40 : 1)) % from.length] as { file: Buffer };
      const kind = await outcome(mutated(file, seed), seed % 3 === 0);
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(300 * 2 ** 20);
    // the damage is of all sorts: some files survive it, and most don't
    for (const kind of ['decoded', 'truncated', 'unreadable', 'notAnImage']) {
      expect(kinds.get(kind), kind).toBeGreaterThan(50);
    }
  });
});

describe('a hostile file', () => {
  const syntax = Buffer.from('1.2.840.10008.1.2.1\0');
  const preamble = Buffer.concat([
    Buffer.alloc(128),
    Buffer.from('DICM'),
    Buffer.from('0200100055491400', 'hex'),
    syntax,
  ]);
  const repeated = (hex: string, count: number) => Buffer.from(hex.repeat(count), 'hex');

  async function refusal(file: Buffer): Promise<string> {
    const [before, start] = [process.memoryUsage().rss, performance.now()];
    const error = await decodeImageBytes(file, 'a.dcm').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'ImageError' });
    expect(performance.now() - start).toBeLessThan(20_000);
    expect(process.memoryUsage().rss - before).toBeLessThan(600 * 2 ** 20);
    return (error as ImageError).reason;
  }

  test('with half a million empty elements, or items, or levels', { timeout: 60_000 }, async () => {
    const limit = /^the DICOM file is damaged, or more than 4194304 bytes stand before its pixels/;
    const elements = Buffer.alloc(4_500_000);
    for (let i = 0; i + 8 <= elements.length; i += 8) {
      elements.writeUInt32LE(0x9 + i, i);
      elements.write('LO', i + 4, 'latin1');
    }
    expect(await refusal(Buffer.concat([preamble, elements]))).toMatch(limit);
    const sequence = Buffer.from('0900100053510000ffffffff', 'hex');
    const items = Buffer.concat([preamble, sequence, repeated('feff00e000000000', 560_000)]);
    expect(await refusal(items)).toMatch(limit);
    const levels = Buffer.concat([preamble, repeated('0900100053510000fffffffffeff00e0ffffffff', 400_000)]);
    expect(await refusal(levels)).toMatch(limit);
  });

  /** A small file of 16 bits with a size that its bytes don't hold. */
  function claiming(width: number, height: number, uid: string, pixels: Buffer): Buffer {
    const us = (element: number, value: number) => {
      const bytes = Buffer.alloc(10);
      bytes.writeUInt16LE(0x28, 0);
      bytes.writeUInt16LE(element, 2);
      bytes.write('US', 4, 'latin1');
      bytes.writeUInt16LE(2, 6);
      bytes.writeUInt16LE(value, 8);
      return bytes;
    };
    return Buffer.concat([
      Buffer.alloc(128),
      Buffer.from('DICM'),
      Buffer.from('020010005549', 'hex'),
      Buffer.from([uid.length, 0]),
      Buffer.from(uid, 'latin1'),
      Buffer.from('280004004353', 'hex'),
      Buffer.from([12, 0]),
      Buffer.from('MONOCHROME2 '),
      us(0x10, height),
      us(0x11, width),
      us(0x100, 16),
      us(0x101, 16),
      us(0x102, 15),
      us(0x103, 0),
      Buffer.from('e07f10004f420000ffffffff', 'hex'),
      pixels,
    ]);
  }
  const rle = '1.2.840.10008.1.2.5\0';
  const jpeg2000 = '1.2.840.10008.1.2.4.90';
  const piece = (bytes: Buffer) => {
    const head = Buffer.from('feff00e000000000feff00e000000000', 'hex');
    head.writeUInt32LE(bytes.length, 12);
    return Buffer.concat([head, bytes, Buffer.from('feffdde000000000', 'hex')]);
  };

  test('that claims 65,000 × 65,000 pixels, or 9,999 × 9,999 of JPEG 2000', async () => {
    expect(await refusal(claiming(65_000, 65_000, rle, piece(Buffer.alloc(64))))).toMatch(
      /^is 65000 × 65000 pixels; more than the 100000000 allowed/,
    );
    expect(await refusal(claiming(9_999, 9_999, jpeg2000, piece(Buffer.alloc(64))))).toMatch(
      /takes 1\.\d+ GiB to decode; more than the 1 GiB allowed/,
    );
  });

  test('in a million empty pieces', async () => {
    const pieces = Buffer.concat([
      repeated('feff00e000000000', 1_000_000),
      Buffer.from('feffdde000000000', 'hex'),
    ]);
    expect(await refusal(claiming(64, 64, rle, pieces))).toMatch(/its RLE pixels end too early/);
  });

  test.each<[string, { tile?: number; precinct?: number; layers?: number }, RegExp]>([
    ['tiles of one pixel', { tile: 1 }, /has 4194304 tiles; more than the 4096 allowed/],
    ['pieces of one pixel', { precinct: 0 }, /is cut into \d+ pieces and 1 layers; more than is allowed/],
    ['65,535 layers', { layers: 65_535 }, /and 65535 layers; more than is allowed/],
  ])('of JPEG 2000 in %s', async (_, { tile = 2048, precinct = 15, layers = 1 }, message) => {
    const size = Buffer.alloc(43);
    size.writeUInt16BE(0xff51, 0);
    size.writeUInt16BE(41, 2);
    for (const [i, value] of [2048, 2048, 0, 0, tile, tile, 0, 0].entries())
      size.writeUInt32BE(value, 6 + 4 * i);
    size.writeUInt16BE(1, 38);
    size.set([15, 1, 1], 40);
    // coding style: precincts are given, of one level of resolution and what is left
    const coding = Buffer.from('ff52000e010000000001040400010000', 'hex');
    coding.writeUInt16BE(layers, 6);
    coding.fill(precinct * 17, 14);
    const tilePart = Buffer.from('ff90000a0000000000000001ff93ffd9', 'hex');
    const stream = Buffer.concat([Buffer.from('ff4f', 'hex'), size, coding, tilePart]);
    expect(await refusal(claiming(2048, 2048, jpeg2000, piece(stream)))).toMatch(message);
  });
});
