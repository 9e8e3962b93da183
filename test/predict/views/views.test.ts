import { describe, expect, test } from 'vitest';
import type { ViewShape } from '../../../src/predict/views/view.js';
import { viewsOf } from '../../../src/predict/views/views.js';
import { relativeError } from '../../golden/digest.js';
import { readGolden } from '../../golden/golden-files.js';
import { hashImages } from '../../golden/hash-weights.js';

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

function mirrored(images: ArrayLike<number>, [, width, channels]: ViewShape): number[] {
  return Array.from({ length: images.length }, (_, i) => {
    const x = Math.floor(i / channels) % width;
    return images[i + (width - 1 - 2 * x) * channels]!;
  });
}

describe('views of an image', () => {
  test.each(readGolden<ViewGolden[]>('views.json.gz'))("of $shape are PyTorch's", (golden) => {
    const [, ...shape] = golden.shape;
    const images = hashImages(golden.shape, 3);
    const before = images.slice();
    const given = viewsOf('flip-scale').map((view) => view(images, shape));
    const medium = viewsOf('medium').map((view) => view(images, shape));
    const { larger, smaller } = golden;
    const expected = [
      [...images],
      mirrored(images, shape),
      larger,
      smaller,
      mirrored(larger, shape),
      mirrored(smaller, shape),
    ];
    expect(given).toHaveLength(expected.length);
    for (const [v, values] of expected.entries()) expect(relativeError(given[v]!, values)).toBeLessThan(1e-6);
    const { turned, turnedBack, muchLarger, muchSmaller } = golden;
    const others = [...expected.slice(0, 2), turned, turnedBack, muchLarger, muchSmaller];
    expect(medium).toHaveLength(others.length);
    for (const [v, values] of others.entries()) expect(relativeError(medium[v]!, values)).toBeLessThan(1e-6);
    expect(viewsOf('light').map((view) => view(images, shape))).toEqual(medium.slice(0, 4));
    expect(images).toEqual(before);
    expect(viewsOf('flip').map((view) => [...view(images, shape)])).toEqual(expected.slice(0, 2));
    expect(viewsOf('none').map((view) => view(images, shape))).toEqual([images]);
  });

  test('turned by +5° are read from further down at the right, and from below the edge as in a mirror', () => {
    const shape = [101, 101, 1] as const;
    const rows = Float32Array.from({ length: 101 * 101 }, (_, i) => Math.floor(i / 101));
    const turned = viewsOf('light')[2]!(rows, shape);
    const [sin, cos] = [Math.sin(Math.PI / 36), Math.cos(Math.PI / 36)];
    expect(turned[50 * 101 + 80]).toBeCloseTo(50 + 30 * sin, 4);
    expect(turned[50 * 101 + 20]).toBeCloseTo(50 - 30 * sin, 4);
    // the mirror stands at 100.5, the outer edge of the last row
    expect(turned[100 * 101 + 100]).toBeCloseTo(2 * 100.5 - (50 + 50 * sin + 50 * cos), 4);
  });

  test('at 512 pixels are crops from 12 of 537 and 25 of 563, and 486 and 460 with 13 and 26 reflected on each side', () => {
    const shape = [4, 512, 1] as const;
    const ramp = Float32Array.from({ length: 4 * 512 }, (_, i) => i % 512);
    const views = [...viewsOf('flip-scale').slice(0, 4), ...viewsOf('medium').slice(4)];
    const [larger, smaller] = [views[2]!(ramp, shape), views[3]!(ramp, shape)];
    const at = (place: number, length: number) => ((place + 0.5) * 512) / length - 0.5;
    for (const x of [0, 1, 255, 510, 511]) expect(larger[x]).toBeCloseTo(at(x + 12, 537), 3);
    for (const x of [13, 14, 255, 497]) expect(smaller[x]).toBeCloseTo(at(x - 13, 486), 3);
    const [muchLarger, muchSmaller] = [views[4]!(ramp, shape), views[5]!(ramp, shape)];
    for (const x of [0, 255, 511]) expect(muchLarger[x]).toBeCloseTo(at(x + 25, 563), 3);
    for (const x of [26, 255, 485]) expect(muchSmaller[x]).toBeCloseTo(at(x - 26, 460), 3);
    expect([smaller[0], smaller[12]]).toEqual([smaller[26], smaller[14]]);
    expect([smaller[511], smaller[499]]).toEqual([smaller[485], smaller[497]]);
  });
});
