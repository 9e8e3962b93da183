import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bilinearTaps, resizeBilinear } from '../../../src/data/images/resize.js';
import { picture } from './pictures.js';

interface ResizeCase {
  from: [number, number];
  to: [number, number];
  values: number[];
}
const golden: { resize: ResizeCase[] } = JSON.parse(
  readFileSync(new URL('../../golden/images.json', import.meta.url), 'utf8'),
);

describe('agrees with PIL and PyTorch (antialias=True)', () => {
  test.each(golden.resize)('$from → $to', ({ from: [height, width], to, values }) => {
    const pixels = Float32Array.from(picture(height, width), (value) => value / 65535);
    const resized = resizeBilinear({ pixels, width, height }, ...to);
    expect(resized).toHaveLength(values.length);
    for (const [i, value] of values.entries()) expect(Math.abs((resized[i] ?? 9) - value)).toBeLessThan(1e-6);
  });
});

test('the look-up table is applied before resampling', () => {
  const look = Float32Array.from({ length: 256 }, (_, v) => (v > 100 ? 1 : 0));
  const plane = { pixels: Uint8Array.of(90, 110), width: 2, height: 1 };
  expect([...resizeBilinear(plane, 1, 1, look)]).toEqual([0.5]);
});

const side = fc.integer({ min: 1, max: 40 });

test('the weights of every output pixel sum to 1 and read inside the picture', () => {
  fc.assert(
    fc.property(side, side, (input, output) => {
      const { first, weights, width } = bilinearTaps(input, output);
      for (let i = 0; i < output; i++) {
        const taps = weights.subarray(i * width, (i + 1) * width);
        expect(taps.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12);
        expect(taps.every((weight) => weight >= 0)).toBe(true);
        expect(first[i]).toBeGreaterThanOrEqual(0);
        expect((first[i] ?? 0) + width).toBeLessThanOrEqual(input);
      }
    }),
  );
});

/** One sum at a time, as the filter is defined: taps in order, in float64, rounded to float32 after each pass. */
function onePassAtATime(pixels: Float32Array, [height, width]: Size, [outHeight, outWidth]: Size) {
  const [across, down] = [bilinearTaps(width, outWidth), bilinearTaps(height, outHeight)];
  const sum = (count: number, term: (k: number) => number) => {
    let total = 0;
    for (let k = 0; k < count; k++) total += term(k);
    return total;
  };
  const rows = Float32Array.from({ length: height * outWidth }, (_, i) => {
    const [y, x] = [Math.floor(i / outWidth), i % outWidth];
    const from = y * width + across.first[x]!;
    return sum(across.width, (k) => across.weights[x * across.width + k]! * pixels[from + k]!);
  });
  return Float32Array.from({ length: outHeight * outWidth }, (_, i) => {
    const [y, x] = [Math.floor(i / outWidth), i % outWidth];
    const at = (k: number) => rows[(down.first[y]! + k) * outWidth + x]!;
    return sum(down.width, (k) => down.weights[y * down.width + k]! * at(k));
  });
}
type Size = readonly [height: number, width: number];

test('four sums at once give the bytes of one sum at a time', () => {
  fc.assert(
    fc.property(side, side, side, side, (height, width, outHeight, outWidth) => {
      const pixels = Float32Array.from(picture(height, width), (value) => value / 65535);
      expect(resizeBilinear({ pixels, width, height }, outHeight, outWidth)).toEqual(
        onePassAtATime(pixels, [height, width], [outHeight, outWidth]),
      );
    }),
  );
});

test('mirrored in, mirrored out; never outside the input’s range', () => {
  fc.assert(
    fc.property(side, side, side, side, (height, width, outHeight, outWidth) => {
      const pixels = Float32Array.from(picture(height, width), (value) => value / 65535);
      const resized = resizeBilinear({ pixels, width, height }, outHeight, outWidth);
      const turned = resizeBilinear({ pixels: pixels.toReversed(), width, height }, outHeight, outWidth);
      const [least, most] = [Math.min(...pixels), Math.max(...pixels)];
      for (const [i, value] of resized.entries()) {
        expect(turned[resized.length - 1 - i]).toBeCloseTo(value, 5);
        expect(value).toBeGreaterThan(least - 1e-6);
        expect(value).toBeLessThan(most + 1e-6);
      }
    }),
    { numRuns: 50 },
  );
});
