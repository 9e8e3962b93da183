import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { type DecodeOptions, decodeImage, decodeImageBytes } from '../../../src/data/images/decode.js';
import { ImageError, type ImageErrorKind } from '../../../src/data/images/image-error.js';
import { temporaryFolder } from '../temporary-folder.js';
import { hugePng, rawPng } from './built-files.js';
import { picture, png8, png16 } from './pictures.js';

interface FileCase {
  name: string;
  data: string;
  height: number;
  width: number;
  grey: number[];
}
const golden: { files: FileCase[] } = JSON.parse(
  readFileSync(new URL('../../golden/images.json', import.meta.url), 'utf8'),
);

describe('the values in the file, as PIL reads them', () => {
  test.each(golden.files)('$name', async ({ name, data, height, width, grey }) => {
    const image = await decodeImageBytes(Buffer.from(data, 'base64'), name);
    expect([image.height, image.width]).toEqual([height, width]);
    expect(image.maximum).toBe(name.includes('16 bit') ? 65535 : 255);
    expect([...image.pixels]).toEqual(grey);
  });

  test('all 65,536 values of a 16-bit picture', async () => {
    const values = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const image = await decodeImageBytes(await png16(values, 256, 256), 'ramp.png');
    expect(image.pixels).toEqual(values);
  });

  test('16-bit RGB and RGBA: luma in 16 bits, equal channels unchanged, alpha ignored', async () => {
    const grey = picture(5, 4);
    for (const channels of [3, 4] as const) {
      const samples = new Uint16Array(grey.length * channels);
      for (const [i, value] of grey.entries()) {
        samples.fill(value, i * channels, i * channels + 3);
        if (channels === 4) samples[i * 4 + 3] = (i * 4001) % 65536;
      }
      const png = rawPng(samples, 5, 4, channels === 3 ? 2 : 6);
      const image = await decodeImageBytes(png, 'rgb16.png');
      expect(image.maximum).toBe(65535);
      expect([...image.pixels]).toEqual([...grey]);
    }
    const colour = rawPng(Uint16Array.of(60000, 30000, 10000), 1, 1, 2);
    const luma = Math.floor((19595 * 60000 + 38470 * 30000 + 7471 * 10000 + 32768) / 65536);
    expect([...(await decodeImageBytes(colour, 'c.png')).pixels]).toEqual([luma]);
  });

  test('JPEG, grey and colour', async () => {
    const raw = { width: 16, height: 16, channels: 1 as const };
    const smooth = Uint8Array.from({ length: 256 }, (_, i) => 40 + (i >> 4) * 10);
    for (const space of ['b-w', 'srgb'] as const) {
      const jpeg = await sharp(smooth, { raw }).toColourspace(space).jpeg({ quality: 100 }).toBuffer();
      const image = await decodeImageBytes(jpeg, 'a.jpg');
      for (const [i, value] of smooth.entries()) {
        expect(Math.abs((image.pixels[i] ?? 0) - value)).toBeLessThanOrEqual(1);
      }
    }
  });

  test('one pixel is a legal picture', async () => {
    const image = await decodeImageBytes(await png8(Uint8Array.of(7), 1, 1), 'dot.png');
    expect(image).toMatchObject({ width: 1, height: 1, maximum: 255 });
    expect([...image.pixels]).toEqual([7]);
  });
});

describe('what is no picture gives an error of its kind', () => {
  async function refusal(
    name: string,
    content: Uint8Array | string,
    options?: DecodeOptions,
  ): Promise<ImageError> {
    const folder = await temporaryFolder({ [name]: content });
    const error = await decodeImage(join(folder, name), options).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ImageError);
    expect((error as ImageError).message).toContain(join(folder, name));
    return error as ImageError;
  }
  const whole = () => png16(picture(90, 120), 90, 120);

  test('missing, and a folder', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'd.png'));
    await expect(decodeImage(join(folder, 'no.png'))).rejects.toMatchObject({ kind: 'missing' });
    await expect(decodeImage(join(folder, 'd.png', 'x.png'))).rejects.toMatchObject({ kind: 'missing' });
    await expect(decodeImage(join(folder, 'd.png'))).rejects.toMatchObject({ kind: 'unreadable' });
  });

  test.each<[string, string | Buffer, ImageErrorKind, RegExp]>([
    ['zero bytes', '', 'empty', /zero bytes/],
    ['text', 'this is not a picture', 'notAnImage', /starts with the text "this is not a picture"/],
    ['a web page', '<!DOCTYPE html><html>not found</html>', 'notAnImage', /DOCTYPE/],
    ['SVG', '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', 'notAnImage', /svg/],
    ['GIF', Buffer.from('GIF89a\x01\0\x01\0\0\0\0;', 'latin1'), 'notAnImage', /neither PNG, JPEG nor DICOM/],
    [
      'a bare DICOM preamble',
      Buffer.concat([Buffer.alloc(128), Buffer.from('DICM')]),
      'truncated',
      /end before its pixels/,
    ],
    ['a bare signature', Buffer.from('89504e470d0a1a0a', 'hex'), 'truncated', /stops after 8 bytes/],
  ])('%s', async (_, content, kind, message) => {
    const error = await refusal('a.png', content);
    expect(error.kind).toBe(kind);
    expect(error.message).toMatch(message);
  });

  test('a PNG cut anywhere is truncated, never a picture with a grey end', async () => {
    const png = await whole();
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 8, max: png.length - 1 }), async (length) => {
        const cut = png.subarray(0, length);
        await expect(decodeImageBytes(cut, 'cut.png')).rejects.toMatchObject({
          name: 'ImageError',
          kind: 'truncated',
        });
      }),
      { numRuns: 60 },
    );
  });

  test('a JPEG cut in half is truncated', async () => {
    const raw = { width: 100, height: 80, channels: 1 as const };
    const jpeg = await sharp(new Uint8Array(picture(80, 100)), { raw })
      .jpeg()
      .toBuffer();
    expect((await refusal('a.jpg', jpeg.subarray(0, jpeg.length >> 1))).kind).toBe('truncated');
  });

  test('a flipped bit in a PNG is noticed', async () => {
    const png = await whole();
    const data = png.indexOf('IDAT') + 4;
    for (const at of [17, data + 100, png.length >> 1]) {
      const flipped = Buffer.from(png);
      flipped[at] = (flipped[at] ?? 0) ^ 0x10;
      expect((await refusal('a.png', flipped)).kind).toBe('unreadable');
    }
  });

  test('any bytes after a signature give a picture or an ImageError', async () => {
    const signatures = ['89504e470d0a1a0a', 'ffd8ffe0'].map((hex) => Buffer.from(hex, 'hex'));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...signatures),
        fc.uint8Array({ maxLength: 300 }),
        async (start, rest) => {
          await expect(decodeImageBytes(Buffer.concat([start, rest]), 'f.png')).rejects.toBeInstanceOf(
            ImageError,
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  test('20,000 × 20,000 pixels are refused by the header, before anything is decoded', async () => {
    const before = process.memoryUsage().rss;
    const error = await refusal('huge.png', hugePng(20_000));
    expect(error.kind).toBe('tooLarge');
    expect(error.message).toMatch(/20000 × 20000 pixels; more than the 100000000 allowed/);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 2 ** 20);
  });

  test('the limit is the caller’s to set', async () => {
    const png = await whole();
    expect((await refusal('a.png', png, { pixelLimit: 90 * 120 - 1 })).kind).toBe('tooLarge');
    expect((await decodeImageBytes(png, 'a.png', { pixelLimit: 90 * 120 })).pixels).toHaveLength(90 * 120);
  });
});
