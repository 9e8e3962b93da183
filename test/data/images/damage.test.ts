import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { decodeImageBytes } from '../../../src/data/images/decode.js';
import { describeQuarantine, scanImages } from '../../../src/data/images/scan.js';
import { predictionRows } from '../../../src/predict/predict.js';
import { formatPredictions } from '../../../src/predict/predictions.js';
import { madeDataset } from '../made-dataset.js';
import { END_OF_IMAGE, jpegOf, pngChunk, pngOf, scansOf, withBytes } from './built-files.js';
import { wavyPicture } from './pictures.js';

const SIDE = 256;
/** Waves with a grain, so that no stretch of a file is all alike. */
const grained = wavyPicture(1, SIDE).map((value, i) => (value + ((i * 7919) % 23)) & 255);
const colours = Uint8Array.from({ length: 3 * SIDE * SIDE }, (_, i) => grained[Math.floor(i / 3)]! ^ (i % 3));
const rows = Buffer.alloc(SIDE * (SIDE + 1));
for (let y = 0; y < SIDE; y++) rows.set(grained.subarray(y * SIDE, (y + 1) * SIDE), y * (SIDE + 1) + 1);
const pixels = deflateSync(rows);
const png = pngOf(SIDE, SIDE, 8, 0, pixels);
const [plain, progressive, colour] = await Promise.all([
  jpegOf(grained, SIDE),
  jpegOf(grained, SIDE, { progressive: true }),
  jpegOf(colours, SIDE, { channels: 3 }),
]);

/** Damages of JPEGs that libjpeg decodes without a word unless it is asked to be strict. */
function* jpegDamages(): Generator<[what: string, file: Buffer, message: RegExp]> {
  const data = /^the JPEG is damaged \(.+\)\.$/;
  for (const [name, jpeg] of Object.entries({ plain, progressive, colour })) {
    for (const share of [0.3, 0.5, 0.7, 0.9, 0.99]) {
      const at = Math.floor(jpeg.length * share);
      yield [`${name}, cut at ${share} and ended`, Buffer.concat([jpeg.subarray(0, at), END_OF_IMAGE]), data];
    }
    for (const share of [0.3, 0.5, 0.7, 0.85]) {
      const at = Math.floor(jpeg.length * share);
      yield [`${name}, 2 kB of zeros at ${share}`, withBytes(jpeg, at, new Uint8Array(2048)), data];
    }
    const cut = /^the JPEG stops after \d+ bytes, before its end\.$/;
    yield [`${name}, cut`, jpeg.subarray(0, jpeg.length >> 1), cut];
    yield [`${name}, without its end`, jpeg.subarray(0, -2), cut];
  }
  for (const scans of [1, 3, 5]) {
    const end = scansOf(progressive)[scans - 1]![1];
    const file = Buffer.concat([progressive.subarray(0, end), END_OF_IMAGE]);
    yield [`${scans} whole scans and the end`, file, /scans are missing that would make the picture whole/];
  }
}

function* pngDamages(): Generator<[what: string, file: Buffer, message: RegExp]> {
  const sum =
    /^the PNG is damaged \(the checksum of the IDAT chunk at byte 33, \d+ bytes long, does not hold\)\.$/;
  const data = /^the PNG is damaged \(its compressed pixels end too early or do not decompress\)\.$/;
  for (const share of [0.3, 0.6, 0.9]) {
    const at = Math.floor(png.length * share);
    yield [
      `2 kB of zeros at ${share}`,
      withBytes(png, at, new Uint8Array(2048)),
      at + 2048 < png.length - 16 ? sum : /damaged/,
    ];
    yield [`a flipped bit at ${share}`, withBytes(png, at, Uint8Array.of(png[at]! ^ 4)), sum];
    yield [`cut at ${share}`, png.subarray(0, at), /^the PNG stops after \d+ bytes, before its end\.$/];
    const end = pngChunk('IEND', Buffer.alloc(0));
    yield [`cut at ${share} and ended`, Buffer.concat([png.subarray(0, at), end]), /stops after|damaged/];
    const some = pixels.subarray(0, Math.floor(pixels.length * share));
    yield [`${share} of the pixels, checksums made anew`, pngOf(SIDE, SIDE, 8, 0, some), data];
    const zeroed = withBytes(pixels, Math.floor(pixels.length * share), new Uint8Array(1024));
    yield [`zeros in the pixels at ${share}, checksums made anew`, pngOf(SIDE, SIDE, 8, 0, zeroed), data];
  }
  yield ['without its end', png.subarray(0, -12), /stops after/];
}

const damages = [...jpegDamages(), ...pngDamages()];

describe('a damaged file', () => {
  test('of which there are enough', () => expect(damages.length).toBeGreaterThanOrEqual(40));

  test.each(damages)('%s: refused by name; lenient takes it and says so', async (_, file, message) => {
    const error = await decodeImageBytes(file, 'a.img').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'ImageError', kind: expect.stringMatching(/truncated|unreadable/) });
    expect((error as { reason: string }).reason).toMatch(message);
    const image = await decodeImageBytes(file, 'a.img', { lenient: true });
    expect([image.width, image.height]).toEqual([SIDE, SIDE]);
    expect(image.damage).toMatch(message);
  });

  test('a sound one is the same, strict or lenient, and has no damage', async () => {
    for (const file of [png, plain, progressive, colour]) {
      const image = await decodeImageBytes(file, 'a.img');
      expect(image).not.toHaveProperty('damage');
      expect(await decodeImageBytes(file, 'a.img', { lenient: true })).toEqual(image);
    }
  });

  test('lenient does not take a file without a size, or of another format', async () => {
    for (const file of [png.subarray(0, 20), plain.subarray(0, 100), Buffer.from('text')]) {
      await expect(decodeImageBytes(file, 'a.img', { lenient: true })).rejects.toThrow(/a\.img: /);
    }
  });

  test('nor one without a chunk after the header', async () => {
    const file = withBytes(png, 33, new Uint8Array(8));
    await expect(decodeImageBytes(file, 'a.img', { lenient: true })).rejects.toThrow(
      /at byte 33 there is no chunk/,
    );
  });

  test('damage in a chunk that may be ignored is ignored', async () => {
    const text = pngChunk('tEXt', Buffer.from('Title\0x'));
    text[10] = 0x41;
    const file = pngOf(SIDE, SIDE, 8, 0, pixels, { extra: [text] });
    expect((await decodeImageBytes(file, 'a.png')).pixels).toEqual(Buffer.from(grained));
  });
});

describe('among others', () => {
  async function withDamaged(lenient: boolean) {
    const dataset = await madeDataset(3, {}, { lenient });
    await writeFile(join(dataset.store.root, '1.png'), png.subarray(0, -30));
    return dataset;
  }

  test('it is left out, with the way to use it', async () => {
    const { readable, quarantined, accepted } = await scanImages(await withDamaged(false));
    expect([[...readable], quarantined.length, accepted]).toEqual([[0, 2], 1, []]);
    expect(describeQuarantine(quarantined, 3)).toMatch(
      /1 truncated[\s\S]*Damaged images can be used.*--lenient/,
    );
  });

  test('lenient: it is used, also in a strict scan, and its row of predictions has scores and a note', async () => {
    const dataset = await withDamaged(true);
    const { readable, quarantined, accepted } = await scanImages(dataset, { strict: true });
    expect([...readable]).toEqual([0, 1, 2]);
    expect(accepted).toMatchObject([{ position: 1, image: '1.png', line: 3 }]);
    expect(describeQuarantine(quarantined, 3, accepted)).toMatch(
      /^all 3 images are readable\.\n1 image is damaged and used as far as possible:\n {2}line 3, 1\.png: the PNG stops/,
    );
    const rows = predictionRows({ all: dataset, quarantined, accepted }, new Float32Array(6).fill(0.5), 2);
    expect(formatPredictions({ classes: dataset.classes, rows }).split('\n').slice(1, 4)).toEqual([
      '0.png,0.5,0.5,,',
      `1.png,0.5,0.5,,"used in part: the PNG stops after ${png.length - 30} bytes, before its end."`,
      '2.png,0.5,0.5,,',
    ]);
  });
});
