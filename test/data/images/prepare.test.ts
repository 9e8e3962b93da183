import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { prepareGrey, prepareImage, windowOf } from '../../../src/data/images/prepare.js';
import { preprocessingSchema } from '../../../src/data/images/preprocessing.js';
import { temporaryFolder } from '../temporary-folder.js';
import { picture, png8, png16 } from './pictures.js';

const percentile = { kind: 'percentile', low: 0.5, high: 99.5 } as const;

describe('window', () => {
  test('percentiles are numpy’s', () => {
    // numpy.percentile(numpy.arange(200) ** 2, [0.5, 99.5]): positions 0.995 and 198.005 between neighbouring squares
    const pixels = Uint16Array.from({ length: 200 }, (_, i) => i * i);
    const [low, high] = windowOf({ width: 20, height: 10, maximum: 65535, pixels }, percentile);
    expect(low).toBeCloseTo(0 + 0.995 * (1 - 0), 10);
    expect(high).toBeCloseTo(198 ** 2 + 0.005 * (199 ** 2 - 198 ** 2), 8);
  });

  test('large pictures are sampled on a grid of at least 2,000 pixels', () => {
    const [height, width] = [300, 400];
    const pixels = Uint16Array.from({ length: height * width }, (_, i) => 1000 + 1000 * ((i >> 1) & 1));
    const step = Math.floor(Math.sqrt((height * width) / 2000));
    // bright where the grid looks in every tenth of its rows, and nowhere else
    for (let y = step >> 1; y < height; y += step * 10) {
      for (let x = step >> 1; x < width; x += step) pixels[y * width + x] = 60000;
    }
    expect(windowOf({ width, height, maximum: 65535, pixels }, percentile)).toEqual([1000, 60000]);
  });

  test('full is the range of the file’s depth', () => {
    const image = { width: 2, height: 1, maximum: 255, pixels: Uint8Array.of(10, 20) };
    expect(windowOf(image, { kind: 'full' })).toEqual([0, 255]);
  });

  test('a few bright pixels on black keep their contrast', () => {
    const pixels = new Uint8Array(10_000);
    pixels[77] = 90;
    expect(windowOf({ width: 100, height: 100, maximum: 255, pixels }, percentile)).toEqual([0, 90]);
  });
});

describe('prepared pictures', () => {
  test('8-bit files that keep their size lose nothing', () => {
    const pixels = Uint8Array.from({ length: 256 }, (_, i) => i);
    const preprocessing = preprocessingSchema.parse({ size: [16, 16], window: { kind: 'full' } });
    const prepared = prepareGrey({ width: 16, height: 16, maximum: 255, pixels }, preprocessing);
    expect([...prepared]).toEqual(Array.from(pixels, (value) => value * 257));
    const asFloat = Float32Array.from(prepared, (value) => value / 65535);
    expect(asFloat).toEqual(Float32Array.from(pixels, (value) => value / 255));
  });

  test('8 bits are those of 16 bits, rounded to fewer shades', () => {
    const image = { width: 20, height: 30, maximum: 65535, pixels: picture(30, 20) };
    for (const size of [
      [30, 20],
      [11, 7],
    ]) {
      const deep = prepareGrey(image, preprocessingSchema.parse({ size }));
      const flat = prepareGrey(image, preprocessingSchema.parse({ size, bits: 8 }));
      expect(deep).toBeInstanceOf(Uint16Array);
      expect(flat).toBeInstanceOf(Uint8Array);
      for (const [i, value] of flat.entries()) expect(Math.abs(value - deep[i]! / 257)).toBeLessThan(0.51);
    }
  });

  test('percentiles clip at both ends', () => {
    const pixels = Uint16Array.from({ length: 64 * 64 }, (_, i) => 2000 + i);
    const preprocessing = preprocessingSchema.parse({ size: [64, 64] });
    const prepared = prepareGrey({ width: 64, height: 64, maximum: 65535, pixels }, preprocessing);
    const low = 2000 + 4095 * 0.005;
    const high = 2000 + 4095 * 0.995;
    expect(prepared[0]).toBe(0);
    expect(prepared[4095]).toBe(65535);
    expect(prepared[1000]).toBe(Math.round(((3000 - low) / (high - low)) * 65535));
  });

  test('a 16-bit file from disk, resized', async () => {
    const folder = await temporaryFolder({ 'a.png': await png16(picture(30, 20), 30, 20) });
    const preprocessing = preprocessingSchema.parse({ size: [10, 12], window: { kind: 'full' } });
    const { grey: prepared, damage } = await prepareImage(join(folder, 'a.png'), preprocessing);
    expect(damage).toBeNull();
    expect(prepared).toHaveLength(120);
    expect(prepared).toEqual(
      prepareGrey({ width: 20, height: 30, maximum: 65535, pixels: picture(30, 20) }, preprocessing),
    );
  });

  test('a picture of one value is refused, one pixel included', async () => {
    const folder = await temporaryFolder({
      'dot.png': await png8(Uint8Array.of(9), 1, 1),
      'black.png': await png8(new Uint8Array(100), 10, 10),
    });
    const preprocessing = preprocessingSchema.parse({});
    for (const [name, message] of [
      ['dot.png', /all 1 × 1 pixels have the value 9/],
      ['black.png', /all 10 × 10 pixels have the value 0/],
    ] as const) {
      const error = await prepareImage(join(folder, name), preprocessing).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ kind: 'blank', message: expect.stringMatching(message) });
    }
  });
});

describe('the description', () => {
  test('defaults are complete and stable under a second parse', () => {
    const defaults = preprocessingSchema.parse({});
    expect(defaults).toEqual({
      size: [224, 224],
      channels: 1,
      window: { kind: 'percentile', low: 0.5, high: 99.5 },
      resize: 'bilinear',
      bits: 16,
      mean: [0.5],
      std: [0.25],
    });
    expect(preprocessingSchema.parse(JSON.parse(JSON.stringify(defaults)))).toEqual(defaults);
    expect(preprocessingSchema.parse({ window: { kind: 'percentile', low: 1 } }).window).toEqual({
      kind: 'percentile',
      low: 1,
      high: 99.5,
    });
  });

  test.each([
    [{ size: [0, 10] }],
    [{ size: [10.5, 10] }],
    [{ size: [10] }],
    [{ channels: 2 }],
    [{ bits: 12 }],
    [{ std: [0] }],
    [{ mean: [0.5, 0.5, 0.5] }],
    [{ channels: 3, mean: [0.5, 0.5] }],
    [{ window: { kind: 'percentile', low: 60, high: 40 } }],
    [{ window: { kind: 'full', low: 3 } }],
    [{ resize: 'nearest' }],
    [{ sise: [10, 10] }],
  ])('%j is refused', (value) => {
    expect(preprocessingSchema.safeParse(value).success).toBe(false);
  });
});
