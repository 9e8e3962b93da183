import { describe, expect, test } from 'vitest';
import { Random } from '../../../src/engine/random.js';
import { type PossibleChanges, packChanges } from '../../../src/kernels/image/change-table.js';
import { equaliseGrey } from '../../../src/kernels/image/clahe.js';
import { greyToLightness, lightnessToGrey } from '../../../src/kernels/image/lightness.js';
import { evaluate } from '../../device.js';
import { readGolden } from '../../golden/golden-files.js';
import { changed } from './augment-reference.js';
import { byKernels, byReference, IMPOSSIBLE, NOTHING, pictures } from './augmented.js';

interface Case {
  readonly picture: 'smooth' | 'noisy' | 'mixed';
  readonly height: number;
  readonly width: number;
  readonly clip: number;
  readonly values: number[];
}

const golden = readGolden<{
  tiles: number;
  clahe: Case[];
  lightness: Case[];
  curves: { there: number[]; back: number[] };
}>('augmentation.json.gz');

/** The pictures of make_augmentation.py, 0…255. */
function picture({ picture, height, width }: Case): number[] {
  return Array.from({ length: height * width }, (_, i) => {
    const [y, x] = [Math.floor(i / width), i % width];
    const smooth = Math.floor((y * 150) / height) + Math.floor((x * 70) / width) + (2 * x > width ? 20 : 0);
    const noisy = Math.floor(((i * 7919 + y * x * 31) % 65536) / 256);
    if (picture === 'mixed') return Math.floor(smooth / 2) + Math.floor(noisy / 5) + 30;
    return picture === 'smooth' ? smooth : noisy;
  });
}

/** Levels 0…255 for cases of one size, in one batch. */
async function equalised(
  cases: readonly Case[],
  curves?: Parameters<typeof equaliseGrey>[3],
): Promise<number[]> {
  const { height, width } = cases[0]!;
  const shape = [cases.length, height, width] as const;
  const possible: PossibleChanges = { ...IMPOSSIBLE, clahe: { tiles: golden.tiles } };
  const changes = cases.map(({ clip }) => ({ ...NOTHING, clahe: { clip } }));
  const table = packChanges(changes, possible, shape);
  const [out] = await evaluate(
    [
      { shape, values: Float32Array.from(cases.flatMap(picture), (value) => value / 255) },
      { shape: [cases.length, table.length / cases.length], values: table },
    ],
    ([grey, rows]) => [equaliseGrey(grey!, rows!, golden.tiles, curves)],
  );
  return Array.from(out!, (value) => Math.round(value * 255));
}

/** Cases by size: a batch each. */
function bySize(cases: readonly Case[]): [string, Case[]][] {
  const sizes = new Map<string, Case[]>();
  for (const own of cases) {
    const size = `${own.height} × ${own.width}`;
    sizes.set(size, [...(sizes.get(size) ?? []), own]);
  }
  return [...sizes];
}

const same = Uint8Array.from({ length: 256 }, (_, level) => level);

describe('CLAHE', () => {
  test.each(bySize(golden.clahe))('has exactly OpenCV’s levels at %s', async (_, cases) => {
    const out = await equalised(cases, { there: same, back: same });
    expect(out).toEqual(cases.flatMap(({ values }) => values));
  });

  test.each(bySize(golden.lightness))('on L has OpenCV’s grey at %s', async (_, cases) => {
    const out = await equalised(cases);
    const expected = cases.flatMap(({ values }) => values);
    const off = out.filter((level, i) => level !== expected[i]).length;
    // the curve from L to grey is off by one at three levels, and so are the pixels that end there: 0.9 to 1.4 %
    expect(off / out.length).toBeLessThan(0.015);
    expect(Math.max(...out.map((level, i) => Math.abs(level - expected[i]!)))).toBeLessThanOrEqual(1);
  });

  test('the curves are OpenCV’s; three answers on the way back are off by one', () => {
    expect([...greyToLightness()]).toEqual(golden.curves.there);
    const off = [...lightnessToGrey()].flatMap((grey, level) =>
      grey === golden.curves.back[level] ? [] : [[level, grey - golden.curves.back[level]!]],
    );
    expect(off).toEqual([
      [28, 1],
      [56, 1],
      [123, 1],
    ]);
  });

  // sides of fewer pixels than tiles; one pixel; one side divisible; other numbers of tiles
  test.each([
    [1, 1, 8],
    [3, 2, 8],
    [24, 17, 8],
    [31, 45, 3],
    [36, 36, 1],
    [64, 48, 16],
  ])(
    'equals the reference at %i × %i in %i tiles, pictures without it bit for bit',
    async (height, width, tiles) => {
      const shape = [6, height, width] as const;
      const random = new Random(height, 'clips', width);
      const changes = Array.from({ length: 6 }, (_, i) =>
        i % 3 === 2 ? NOTHING : { ...NOTHING, clahe: { clip: random.uniform(1, i === 0 ? 40 : 2) } },
      );
      const batch = pictures(...shape);
      const out = await byKernels(batch, shape, changes, { ...IMPOSSIBLE, clahe: { tiles } });
      const least = byReference(batch, shape, changes, { tiles, nudge: -1e-4 });
      const most = byReference(batch, shape, changes, { tiles, nudge: 1e-4 });
      // pixels whose level is a half but for f32's rounding, or that meet one in a table
      let halves = 0;
      for (const [i, value] of out.entries()) {
        expect(value, `pixel ${i}`).toBeGreaterThan(least[i]! - 1e-6);
        expect(value, `pixel ${i}`).toBeLessThan(most[i]! + 1e-6);
        if (least[i] !== most[i]) halves++;
      }
      expect(halves / out.length).toBeLessThan(0.3);
      for (const i of [2, 5]) {
        const range = [i * height * width, (i + 1) * height * width] as const;
        expect(out.slice(...range)).toEqual(batch.slice(...range));
      }
    },
  );

  test('the reference has OpenCV’s levels, too', () => {
    for (const own of golden.clahe.filter(({ height }) => height < 60)) {
      const { height, width, clip, values } = own;
      const grey = { height, width, values: Float64Array.from(picture(own), (value) => value / 255) };
      const levels = (nudge: number) =>
        changed(
          grey,
          { ...NOTHING, clahe: { clip } },
          { tiles: golden.tiles, there: same, back: same, nudge },
        ).values.map((value) => Math.round(value * 255));
      const [least, most] = [levels(-1e-4), levels(1e-4)];
      expect(values.every((level, i) => least[i]! <= level && level <= most[i]!)).toBe(true);
    }
  });
});
