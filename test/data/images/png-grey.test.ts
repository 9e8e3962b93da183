import { readFileSync } from 'node:fs';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeImageBytes } from '../../../src/data/images/decode.js';
import { pngDecoder } from '../../../src/data/images/png-decoder.js';
import { decodeGreyPng } from '../../../src/data/images/png-grey.js';
import { mutated } from '../mutated.js';
import { pngChunk, pngOf } from './built-files.js';
import { numberedPng, picture, png16 } from './pictures.js';

/** Held against libvips and against PIL's pictures: the same values, or none. */

/** What is read of a file before; null for one that goes no further. */
function headerOf(png: Buffer) {
  try {
    if (!pngDecoder.owns(png)) return null;
    const header = pngDecoder.readHeader(png);
    return header.width * header.height < 1e6 && header.flaw === null ? header : null;
  } catch {
    return null;
  }
}

const side = fc.integer({ min: 1, max: 12 });

function sizeOf(png: Buffer) {
  return { width: png.readUInt32BE(16), height: png.readUInt32BE(20) };
}

/** Rows of any filters and any bytes are a picture. */
const anyPng = fc
  .record({ width: side, height: side, depth: fc.constantFrom(8 as const, 16 as const), seed: fc.integer() })
  .chain(({ width, height, depth }) => {
    const row = fc.tuple(
      fc.integer({ min: 0, max: 4 }),
      fc.uint8Array({ minLength: (width * depth) / 8, maxLength: (width * depth) / 8 }),
    );
    return fc.array(row, { minLength: height, maxLength: height }).map((rows) => {
      const raw = Buffer.concat(rows.flatMap(([filter, bytes]) => [Buffer.of(filter), bytes]));
      return pngOf(width, height, depth, 0, deflateSync(raw));
    });
  });

test('every filter, in every row, gives what libvips gives', async () => {
  await fc.assert(
    fc.asyncProperty(anyPng, async (png) => {
      const { pixels } = await decodeImageBytes(png, 'a.png');
      const own = decodeGreyPng(png, sizeOf(png));
      expect(own).not.toBeNull();
      expect(own?.constructor).toBe(pixels instanceof Uint16Array ? Uint16Array : own?.constructor);
      expect([...(own ?? [])]).toEqual([...pixels]);
    }),
  );
});

interface Golden {
  files: { name: string; data: string; grey: number[] }[];
}
const golden: Golden = JSON.parse(readFileSync(new URL('../../golden/images.json', import.meta.url), 'utf8'));

test("PIL's own files are read as they are, or left to libvips", () => {
  const read = golden.files.filter(({ data, grey }) => {
    const png = Buffer.from(data, 'base64');
    const own = decodeGreyPng(png, sizeOf(png));
    if (own !== null) expect([...own]).toEqual(grey);
    return own !== null;
  });
  expect(read.length).toBeGreaterThanOrEqual(2);
});

describe('what is left to libvips', () => {
  const [width, height] = [9, 7];
  const raw = Buffer.alloc(height * (width * 2 + 1), 3);
  for (let y = 0; y < height; y++) raw[y * (width * 2 + 1)] = 1;
  const sound = pngOf(width, height, 16, 0, deflateSync(raw));
  const dataAt = sound.indexOf('IDAT') - 4;
  const end = pngChunk('IEND', Buffer.alloc(0));
  const withData = (...chunks: Buffer[]) => Buffer.concat([sound.subarray(0, dataAt), ...chunks, end]);
  const idat = (bytes: Buffer) => pngChunk('IDAT', bytes);
  const packed = deflateSync(raw);
  const own = (png: Buffer) => decodeGreyPng(png, { width, height });

  test('nothing of a plain file, in one chunk or in several', () => {
    expect(own(sound)).not.toBeNull();
    expect(own(withData(idat(packed.subarray(0, 5)), idat(packed.subarray(5))))).toEqual(own(sound));
    expect(own(withData(pngChunk('gAMA', Buffer.alloc(4)), idat(packed)))).toEqual(own(sound));
  });

  const wrongFilter = Buffer.from(raw);
  wrongFilter[0] = 5;
  const cases: [string, Buffer][] = [
    [
      'a chunk between the pixels',
      withData(idat(packed.subarray(0, 5)), pngChunk('tEXt', Buffer.alloc(3)), idat(packed.subarray(5))),
    ],
    ['transparency', withData(pngChunk('tRNS', Buffer.alloc(2)), idat(packed))],
    ['a critical chunk of another kind', withData(pngChunk('PLTE', Buffer.alloc(3)), idat(packed))],
    ['too few pixels', withData(idat(deflateSync(raw.subarray(1))))],
    ['too many pixels', withData(idat(deflateSync(Buffer.concat([raw, Buffer.alloc(5)]))))],
    ['far too many', withData(idat(deflateSync(Buffer.alloc(100_000))))],
    ['bytes after the pixels', withData(idat(Buffer.concat([packed, Buffer.alloc(5)])))],
    ['a filter that there is not', withData(idat(deflateSync(wrongFilter)))],
    ['no pixels', withData()],
    ['no end', sound.subarray(0, sound.length - 12)],
    ['interlaced pixels', pngOf(width, height, 16, 0, packed, { interlaced: true })],
    ['colours', pngOf(width, height, 8, 2, packed)],
    ['two bits a pixel', pngOf(width, height, 2, 0, packed)],
  ];
  test.each(cases)('%s', (_, png) => {
    expect(own(png)).toBeNull();
  });

  test('whatever libvips refuses, or reads in another way', async () => {
    const files = [await numberedPng(1), sound, await png16(picture(30, 20), 30, 20)];
    let taken = 0;
    for (let seed = 0; seed < 300; seed++) {
      const png = mutated(files[seed % files.length] ?? sound, seed);
      const header = headerOf(png);
      const found = header && decodeGreyPng(png, header);
      if (found === null) continue;
      taken++;
      const image = await decodeImageBytes(png, 'a.png').catch(() => null);
      if (image !== null) expect([...found]).toEqual([...image.pixels]);
      else expect.unreachable(`seed ${seed} is refused by libvips`);
    }
    expect(taken).toBeGreaterThan(0);
  });
});
