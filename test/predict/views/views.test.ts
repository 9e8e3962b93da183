import { describe, expect, test } from 'vitest';
import { relativeError } from '../../golden/digest.js';
import { readGolden } from '../../golden/golden-files.js';
import { hashImages, hashUniform } from '../../golden/hash-weights.js';
import { referenceViews } from './reference-views.js';
import { showViews } from './show-views.js';

/** What make_views.py writes. */
interface ViewGolden {
  readonly shape: [number, number, number, number];
  readonly larger: readonly number[];
  readonly smaller: readonly number[];
  readonly muchLarger: readonly number[];
  readonly muchSmaller: readonly number[];
  readonly turned: readonly number[];
  readonly turnedBack: readonly number[];
}

/** [n, h, w, c] as n · c pictures of one channel. */
function planes(values: ArrayLike<number>, [, height, width, channels]: ViewGolden['shape']): Float32Array {
  const size = height * width;
  return Float32Array.from({ length: values.length }, (_, i) => {
    const [plane, pixel] = [Math.floor(i / size), i % size];
    const image = Math.floor(plane / channels);
    return values[(image * size + pixel) * channels + (plane % channels)]!;
  });
}

function mirrored(values: ArrayLike<number>, width: number): Float32Array {
  return Float32Array.from({ length: values.length }, (_, i) => values[i + width - 1 - 2 * (i % width)]!);
}

describe('views of an image', () => {
  test.each(readGolden<ViewGolden[]>('views.json.gz'))("of $shape are PyTorch's", async (golden) => {
    const [n, height, width, channels] = golden.shape;
    const shape = [n * channels, height, width] as const;
    const images = planes(hashImages(golden.shape, 3), golden.shape);
    const expected = Object.fromEntries(
      Object.entries(golden).map(([name, values]) => [name, planes(values, golden.shape)]),
    );
    const [flipScale, medium] = [
      await showViews('flip-scale', images, shape),
      await showViews('medium', images, shape),
    ];
    // the image itself and its mirror image: bit for bit
    expect(flipScale.slice(0, 2)).toEqual([images, mirrored(images, width)]);
    expect(medium.slice(0, 2)).toEqual(flipScale.slice(0, 2));
    const scales = [expected.larger!, expected.smaller!];
    const others = {
      'flip-scale': [...scales, ...scales.map((values) => mirrored(values, width))],
      medium: [expected.turned!, expected.turnedBack!, expected.muchLarger!, expected.muchSmaller!],
    };
    for (const [set, given] of [
      ['flip-scale', flipScale],
      ['medium', medium],
    ] as const) {
      const reference = referenceViews(set, images, [height, width, 1]);
      expect(given).toHaveLength(2 + others[set].length);
      for (const [v, values] of others[set].entries()) {
        expect(relativeError(given[v + 2]!, values)).toBeLessThan(1e-6);
        expect(relativeError(reference[v + 2]!, values)).toBeLessThan(1e-6);
      }
    }
    expect(await showViews('light', images, shape)).toEqual(medium.slice(0, 4));
    expect(await showViews('flip', images, shape)).toEqual(medium.slice(0, 2));
    expect(await showViews('none', images, shape)).toEqual([images]);
  });

  test.each([
    [1, 512, 509],
    [2, 7, 5],
    [3, 3, 4],
  ] as const)('of %i × %i × %i are the reference’s, pixel by pixel', async (...shape) => {
    const [n, height, width] = shape;
    const images = hashUniform('views', n * height * width).map((value) => (value + 1) / 2);
    for (const set of ['medium', 'flip-scale'] as const) {
      const reference = referenceViews(set, images, [height, width, 1]);
      for (const [v, seen] of (await showViews(set, images, shape)).entries()) {
        const off = seen.map((value, i) => Math.abs(value - reference[v]![i]!));
        expect(off.reduce((a, b) => Math.max(a, b))).toBeLessThan(5e-7);
      }
    }
  });

  test('turned by +5° are read from further down at the right, and from below the edge as in a mirror', async () => {
    const rows = Float32Array.from({ length: 101 * 101 }, (_, i) => Math.floor(i / 101));
    const turned = (await showViews('light', rows, [1, 101, 101]))[2]!;
    const [sin, cos] = [Math.sin(Math.PI / 36), Math.cos(Math.PI / 36)];
    expect(turned[50 * 101 + 80]).toBeCloseTo(50 + 30 * sin, 4);
    expect(turned[50 * 101 + 20]).toBeCloseTo(50 - 30 * sin, 4);
    // the mirror stands at 100.5, the outer edge of the last row
    expect(turned[100 * 101 + 100]).toBeCloseTo(2 * 100.5 - (50 + 50 * sin + 50 * cos), 4);
  });

  test('at 512 pixels are crops from 12 of 537 and 25 of 563, and 486 and 460 with 13 and 26 reflected on each side', async () => {
    const shape = [1, 4, 512] as const;
    const ramp = Float32Array.from({ length: 4 * 512 }, (_, i) => i % 512);
    const views = [
      ...(await showViews('flip-scale', ramp, shape)).slice(0, 4),
      ...(await showViews('medium', ramp, shape)).slice(4),
    ];
    const [larger, smaller] = [views[2]!, views[3]!];
    const at = (place: number, length: number) => ((place + 0.5) * 512) / length - 0.5;
    for (const x of [0, 1, 255, 510, 511]) expect(larger[x]).toBeCloseTo(at(x + 12, 537), 3);
    for (const x of [13, 14, 255, 497]) expect(smaller[x]).toBeCloseTo(at(x - 13, 486), 3);
    const [muchLarger, muchSmaller] = [views[4]!, views[5]!];
    for (const x of [0, 255, 511]) expect(muchLarger[x]).toBeCloseTo(at(x + 25, 563), 3);
    for (const x of [26, 255, 485]) expect(muchSmaller[x]).toBeCloseTo(at(x - 26, 460), 3);
    expect([smaller[0], smaller[12]]).toEqual([smaller[26], smaller[14]]);
    expect([smaller[511], smaller[499]]).toEqual([smaller[485], smaller[497]]);
  });
});
