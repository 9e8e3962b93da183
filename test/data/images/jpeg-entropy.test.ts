import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { decodeImageBytes } from '../../../src/data/images/decode.js';
import { entropyFault } from '../../../src/data/images/jpeg-entropy.js';
import { END_OF_IMAGE, jpegOf, scansOf } from './built-files.js';
import { wavyPicture } from './pictures.js';

async function jpegs() {
  const files: [name: string, file: Buffer][] = [];
  for (const side of [8, 64, 250]) {
    const grey = wavyPicture(2, side);
    const colour = Uint8Array.from({ length: 3 * side * side }, (_, i) => grey[Math.floor(i / 3)]! ^ (i % 7));
    for (const [channels, samples] of [
      [1, grey],
      [3, colour],
    ] as const) {
      for (const chromaSubsampling of channels === 3 ? ['4:4:4', '4:2:0'] : ['4:4:4']) {
        for (const optimizeCoding of [true, false]) {
          const file = await sharp(samples, { raw: { width: side, height: side, channels } })
            .toColourspace(channels === 1 ? 'b-w' : 'srgb')
            .jpeg({ quality: 95, chromaSubsampling, optimizeCoding })
            .toBuffer();
          files.push([
            `${side} px, ${channels} channels, ${chromaSubsampling}, own codes ${optimizeCoding}`,
            file,
          ]);
        }
      }
    }
  }
  return files;
}

describe.each(await jpegs())('%s', (_, file) => {
  test('whole: no fault', () => expect(entropyFault(file)).toBeNull());

  test('cut anywhere among its pixels: a fault, to the last byte', () => {
    const [[start, end]] = scansOf(file) as [[number, number]];
    const data = start + 2 + file.readUInt16BE(start + 2);
    const step = Math.ceil((end - data) / 50);
    for (let at = data; at < end; at += step) {
      expect(
        entropyFault(Buffer.concat([file.subarray(0, at), END_OF_IMAGE])),
        `cut at ${at}`,
      ).not.toBeNull();
    }
    expect(entropyFault(Buffer.concat([file.subarray(0, end - 1), END_OF_IMAGE]))).not.toBeNull();
  });

  test('bytes left over: a fault', () => {
    const left = Buffer.concat([file.subarray(0, -2), Buffer.alloc(3), END_OF_IMAGE]);
    expect(entropyFault(left)).toMatch(/^3 bytes are left over after its last pixel$/);
  });
});

describe('with restart markers', async () => {
  // the bits of one block, three times: each restart begins anew, so that they mean the same again
  const one = await jpegOf(wavyPicture(3, 8), 8);
  const [[start, end]] = scansOf(one) as [[number, number]];
  const data = start + 2 + one.readUInt16BE(start + 2);
  const head = Buffer.from(one.subarray(0, data));
  head.writeUInt16BE(24, head.indexOf(Buffer.from([0xff, 0xc0])) + 7);
  const interval = Buffer.from([0xff, 0xdd, 0, 4, 0, 1]);
  const bits = one.subarray(data, end);
  const file = (...restarts: number[]) =>
    Buffer.concat([
      head.subarray(0, start),
      interval,
      head.subarray(start),
      bits,
      ...restarts.flatMap((n) => [Buffer.from([0xff, 0xd0 + n]), bits]),
      END_OF_IMAGE,
    ]);

  test('whole: no fault, and the picture three times', async () => {
    expect(entropyFault(file(0, 1))).toBeNull();
    const image = await decodeImageBytes(file(0, 1), 'a.jpg');
    expect(image.width).toBe(24);
    expect([...image.pixels.subarray(8, 16)]).toEqual([...image.pixels.subarray(0, 8)]);
  });

  test.each([
    ['one missing', [0], /end too early/],
    ['in another order', [1, 0], /restart markers are out of order/],
    ['one too many', [0, 1, 2], /more pixels follow the last one/],
  ])('%s: a fault', async (_, restarts, message) => {
    expect(entropyFault(file(...restarts))).toMatch(message);
    await expect(decodeImageBytes(file(...restarts), 'a.jpg')).rejects.toMatchObject({ kind: 'unreadable' });
  });
});

test('other kinds are left to the decoder', async () => {
  expect(entropyFault(await jpegOf(wavyPicture(1, 64), 64, { progressive: true }))).toBeNull();
});
