import { describe, expect, test } from 'vitest';
import { type ViewShape, viewsOf } from '../../../src/predict/views/views.js';
import { relativeError } from '../../golden/digest.js';
import { readGolden } from '../../golden/golden-files.js';
import { hashImages } from '../../golden/hash-weights.js';

/** What make_views.py writes. */
interface ViewGolden {
  readonly shape: [number, number, number, number];
  readonly larger: readonly number[];
  readonly smaller: readonly number[];
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
    expect(images).toEqual(before);
    expect(viewsOf('flip').map((view) => [...view(images, shape)])).toEqual(expected.slice(0, 2));
    expect(viewsOf('none').map((view) => view(images, shape))).toEqual([images]);
  });

  test('at 512 pixels are crops from 12 of 537, and 486 with 13 reflected on each side', () => {
    const shape = [4, 512, 1] as const;
    const ramp = Float32Array.from({ length: 4 * 512 }, (_, i) => i % 512);
    const views = viewsOf('flip-scale');
    const [larger, smaller] = [views[2]!(ramp, shape), views[3]!(ramp, shape)];
    const at = (place: number, length: number) => ((place + 0.5) * 512) / length - 0.5;
    for (const x of [0, 1, 255, 510, 511]) expect(larger[x]).toBeCloseTo(at(x + 12, 537), 3);
    for (const x of [13, 14, 255, 497]) expect(smaller[x]).toBeCloseTo(at(x - 13, 486), 3);
    expect([smaller[0], smaller[12]]).toEqual([smaller[26], smaller[14]]);
    expect([smaller[511], smaller[499]]).toEqual([smaller[485], smaller[497]]);
  });
});
