import fc from 'fast-check';
import sharp, { type Sharp } from 'sharp';
import { describe, expect, test } from 'vitest';
import { decodeImageBytes, type GreyImage } from '../../../src/data/images/decode.js';
import {
  correlation,
  type Fingerprint,
  fingerprintOf,
  hammingDistance,
  NEAR_BITS,
  NEAR_CORRELATION,
  nearPairs,
} from '../../../src/data/images/perceptual-hash.js';
import { wavyPicture } from './pictures.js';

const picture = (seed: number, size = 96): GreyImage => ({
  width: size,
  height: size,
  maximum: 255,
  pixels: wavyPicture(seed, size),
});

const source = ({ pixels, width, height }: GreyImage) =>
  sharp(pixels, { raw: { width, height, channels: 1 } });

describe('copies', () => {
  const copies: Record<string, (image: Sharp) => Sharp> = {
    'saved as JPEG': (image) => image.jpeg({ quality: 60 }),
    halved: (image) => image.resize(48).png(),
    enlarged: (image) => image.resize(200).png(),
    'darker with less contrast': (image) => image.linear(0.6, 20).png(),
    'with another gamma': (image) => image.gamma(1.8).png(),
    blurred: (image) => image.blur(1.2).png(),
  };
  test.each(Object.entries(copies))('%s: found', async (_, copy) => {
    for (let seed = 0; seed < 5; seed++) {
      const original = picture(seed);
      const bytes = await copy(source(original)).toBuffer();
      const [a, b] = [fingerprintOf(original), fingerprintOf(await decodeImageBytes(bytes, 'copy'))];
      expect(hammingDistance(a.hash, b.hash)).toBeLessThanOrEqual(NEAR_BITS);
      expect(correlation(a.detail, b.detail)).toBeGreaterThan(NEAR_CORRELATION);
    }
  });

  test('at 16 bits as at 8', () => {
    const eight = picture(3);
    const sixteen = { ...eight, maximum: 65535, pixels: Uint16Array.from(eight.pixels, (v) => 257 * v) };
    expect(fingerprintOf(sixteen)).toEqual(fingerprintOf(eight));
  });

  test('mirrored or other pictures: not found', () => {
    const prints = Array.from({ length: 60 }, (_, seed) => fingerprintOf(picture(seed)));
    expect(nearPairs(prints)).toEqual([]);
    const original = picture(1);
    const mirrored = original.pixels.map((_, i) => original.pixels[i - 2 * (i % 96) + 95] ?? 0);
    expect(nearPairs([fingerprintOf(original), fingerprintOf({ ...original, pixels: mirrored })])).toEqual(
      [],
    );
  });

  test('a flat picture is like nothing', () => {
    const flat = fingerprintOf({ width: 4, height: 4, maximum: 255, pixels: new Uint8Array(16).fill(9) });
    expect(correlation(flat.detail, flat.detail)).toBe(0);
    expect(nearPairs([flat, flat])).toEqual([]);
  });
});

test('the hash is the sign of the lowest cosines against their median', () => {
  const image = picture(8, 32);
  const values: number[] = [];
  for (let u = 1; u <= 8; u++) {
    for (let v = 1; v <= 8; v++) {
      let sum = 0;
      for (let y = 0; y < 32; y++) {
        for (let x = 0; x < 32; x++) {
          const basis =
            Math.cos((Math.PI * (2 * x + 1) * v) / 64) * Math.cos((Math.PI * (2 * y + 1) * u) / 64);
          sum += image.pixels[32 * y + x]! * basis;
        }
      }
      values.push(sum);
    }
  }
  const sorted = values.toSorted((a, b) => a - b);
  const median = (sorted[31]! + sorted[32]!) / 2;
  const [high, low] = fingerprintOf(image).hash;
  const bits = high.toString(2).padStart(32, '0') + low.toString(2).padStart(32, '0');
  expect(bits).toBe(values.map((value) => (value > median ? '1' : '0')).join(''));
});

test('every pair within 8 bits is found once, as by comparing all with all', () => {
  const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  const { pixels, detail } = fingerprintOf(picture(0));
  const flips = fc.array(fc.nat(63), { maxLength: 12 });
  fc.assert(
    fc.property(word, word, fc.array(flips, { maxLength: 25 }), (high, low, variants) => {
      const prints: Fingerprint[] = variants.map((places) => {
        const hash: [number, number] = [high, low];
        for (const place of places) {
          const at = place < 32 ? 0 : 1;
          hash[at] = (hash[at] ^ (1 << (place % 32))) >>> 0;
        }
        return { hash, pixels, detail };
      });
      const wanted: string[] = [];
      for (const [b, right] of prints.entries()) {
        for (const [a, left] of prints.slice(0, b).entries()) {
          const bits = [0, 1].reduce((sum, at) => {
            const differing = (left.hash[at]! ^ right.hash[at]!) >>> 0;
            return sum + differing.toString(2).replaceAll('0', '').length;
          }, 0);
          if (bits <= NEAR_BITS) wanted.push(`${a} ${b} ${bits}`);
        }
      }
      const found = nearPairs(prints).map(({ a, b, bits }) => `${a} ${b} ${bits}`);
      expect(found.sort()).toEqual(wanted.sort());
    }),
  );
});
