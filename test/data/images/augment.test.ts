import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Augmentation,
  type AugmentDraw,
  augmentSchema,
  drawAugmentation,
  UNCHANGED,
} from '../../../src/data/images/augment.js';

const off: Augmentation = {
  flip: false,
  affine: false,
  clahe: false,
  brightnessContrast: false,
  noise: false,
  dropout: false,
  mixup: false,
  cutmix: false,
};
const size = [32, 24] as const;
const key = { seed: 1, epoch: 2, slot: 3 };

/** The recipe's values, each change in every picture. */
const always = augmentSchema.parse({
  flip: { p: 1 },
  affine: { p: 1 },
  clahe: { p: 1 },
  brightnessContrast: { p: 1 },
  noise: { p: 1 },
  dropout: { p: 1 },
});

test('the defaults are the paper’s', () => {
  expect(augmentSchema.parse({})).toEqual({
    flip: { p: 0.5 },
    affine: { p: 0.4, shift: 0.03, scale: 0.05, rotate: 7 },
    clahe: { p: 0.2, clip: 2, tiles: 8 },
    brightnessContrast: { p: 0.2, brightness: 0.08, contrast: 0.08 },
    noise: { p: 0.15, variance: [1, 5] },
    dropout: { p: 0.15, holes: 6, side: 24 / 512 },
    mixup: false,
    cutmix: false,
  });
});

test.each([
  [{ flip: { p: 1.5 } }],
  [{ flip: true }],
  [{ affine: { shift: -1 } }],
  [{ affine: { scale: 1 } }],
  [{ noise: { variance: [5, 1] } }],
  [{ dropout: { holes: 0 } }],
  [{ clahe: { clip: 0.5 } }],
  [{ clahe: { tiles: 0 } }],
  [{ claheClip: 2 }],
])('%j is refused', (value) => {
  expect(augmentSchema.safeParse(value).success).toBe(false);
});

test('the same key gives the same draw; another key another one', () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(1000), fc.nat(100_000), (seed, epoch, slot) => {
      const once = drawAugmentation(always, size, { seed, epoch, slot });
      expect(drawAugmentation(always, size, { seed, epoch, slot })).toEqual(once);
      for (const other of [
        { seed, epoch, slot: slot + 1 },
        { seed, epoch: epoch + 1, slot },
        { seed: seed + 1, epoch, slot },
      ]) {
        const draw = drawAugmentation(always, size, other);
        expect(draw.move).not.toEqual(once.move);
        expect(draw.noise?.key).not.toEqual(once.noise?.key);
      }
    }),
    { numRuns: 20 },
  );
});

test('switching one off leaves the others’ numbers as they were', () => {
  const all = drawAugmentation(always, size, key);
  const drawn = {
    flip: ['flip'],
    affine: ['move'],
    clahe: ['clahe'],
    brightnessContrast: ['tone'],
    noise: ['noise'],
    dropout: ['holes'],
  } as const;
  for (const [name, [field]] of Object.entries(drawn)) {
    const without = drawAugmentation({ ...always, [name]: false }, size, key);
    expect(without).toEqual({ ...all, [field]: UNCHANGED[field] });
  }
});

test('a draw is plain data', () => {
  const draw = drawAugmentation(always, size, key);
  expect(JSON.parse(JSON.stringify(draw))).toEqual(draw);
});

test('draws are those of earlier versions', () => {
  const digest = createHash('sha256');
  for (const augmentation of [augmentSchema.parse({}), always]) {
    for (let slot = 0; slot < 40; slot++) {
      digest.update(JSON.stringify(drawAugmentation(augmentation, size, { seed: 5, epoch: 1, slot })));
    }
  }
  expect(digest.digest('hex')).toBe('5c69bf76295b30a6801e0e2c25b3a3195be3b55c1b163b02be912bd422ae45a1');
});

test('all off draws nothing', () => {
  expect(drawAugmentation(off, size, key)).toEqual(UNCHANGED);
});

describe('over 4,000 pictures', () => {
  const count = 4000;
  const draws = (augmentation: Augmentation, of: readonly [number, number] = size) =>
    Array.from({ length: count }, (_, slot) =>
      drawAugmentation(augmentation, of, { seed: 9, epoch: 0, slot }),
    );

  test('each change is drawn with its probability, whatever the others', () => {
    const all = draws(augmentSchema.parse({}));
    const flags: Record<string, [number, (draw: AugmentDraw) => boolean]> = {
      flip: [0.5, ({ flip }) => flip],
      move: [0.4, ({ move }) => move !== null],
      clahe: [0.2, ({ clahe }) => clahe !== null],
      tone: [0.2, ({ tone }) => tone !== null],
      noise: [0.15, ({ noise }) => noise !== null],
      holes: [0.15, ({ holes }) => holes.length > 0],
    };
    const near = (share: number, p: number) =>
      expect(Math.abs(share - p)).toBeLessThan(4.5 * Math.sqrt((p * (1 - p)) / count));
    for (const [a, [p, has]] of Object.entries(flags)) {
      near(all.filter(has).length / count, p);
      for (const [b, [q, hasToo]] of Object.entries(flags)) {
        if (a < b) near(all.filter((draw) => has(draw) && hasToo(draw)).length / count, p * q);
      }
    }
  });

  /** The largest distance of the values' distribution from the uniform one (Kolmogorov–Smirnov), times √n. */
  function distance(values: number[], low: number, high: number): number {
    const sorted = values.toSorted((a, b) => a - b);
    const off = sorted.map((value, i) => Math.abs((value - low) / (high - low) - (i + 0.5) / values.length));
    return Math.max(...off) * Math.sqrt(values.length);
  }

  test('numbers are uniform in their ranges, and independent', () => {
    const all = draws(always, [100, 200]);
    const numbers: Record<string, [number, number, (draw: AugmentDraw) => number | null | undefined]> = {
      shiftX: [-6, 6, ({ move }) => move?.shiftX],
      shiftY: [-3, 3, ({ move }) => move?.shiftY],
      scale: [0.95, 1.05, ({ move }) => move?.scale],
      radians: [(-7 * Math.PI) / 180, (7 * Math.PI) / 180, ({ move }) => move?.radians],
      clip: [1, 2, ({ clahe }) => clahe?.clip],
      gain: [0.92, 1.08, ({ tone }) => tone?.gain],
      offset: [-0.08, 0.08, ({ tone }) => tone?.offset],
      variance: [1, 5, ({ noise }) => noise && (noise.deviation * 255) ** 2],
      keyA: [0, 2 ** 32, ({ noise }) => noise?.key[0]],
      keyB: [0, 2 ** 32, ({ noise }) => noise?.key[1]],
    };
    const columns = Object.values(numbers).map(([low, high, of]) => {
      const values = all.map((draw) => of(draw) ?? Number.NaN);
      expect(Math.min(...values)).toBeGreaterThanOrEqual(low);
      expect(Math.max(...values)).toBeLessThanOrEqual(high);
      // a distance beyond 2.2 has a probability of 1.3e-4
      expect(distance(values, low, high)).toBeLessThan(2.2);
      return values.map((value) => ((value - low) / (high - low) - 0.5) * Math.sqrt(12));
    });
    for (const [i, a] of columns.entries()) {
      for (const b of columns.slice(i + 1)) {
        const correlation = a.reduce((sum, value, k) => sum + value * (b[k] ?? 0), 0) / count;
        expect(Math.abs(correlation)).toBeLessThan(4.5 / Math.sqrt(count));
      }
    }
  });

  test('holes: the exact number, of the asked-for size, at every place of the picture', () => {
    const all = draws({ ...off, dropout: { p: 1, holes: 6, side: 0.25 } }, [12, 20]).flatMap(({ holes }) => {
      expect(holes).toHaveLength(6);
      return holes;
    });
    const tops = new Map<number, number>();
    const lefts = new Map<number, number>();
    for (const { top, left, height, width } of all) {
      expect([height, width]).toEqual([3, 5]);
      tops.set(top, (tops.get(top) ?? 0) + 1);
      lefts.set(left, (lefts.get(left) ?? 0) + 1);
    }
    for (const [places, least] of [
      [tops, 10],
      [lefts, 16],
    ] as const) {
      expect([...places.keys()].toSorted((a, b) => a - b)).toEqual(
        Array.from({ length: least }, (_, i) => i),
      );
      for (const seen of places.values()) {
        const p = 1 / least;
        expect(Math.abs(seen / all.length - p)).toBeLessThan(4.5 * Math.sqrt((p * (1 - p)) / all.length));
      }
    }
  });

  test('the recipe’s holes have 24 pixels of 512, and one at least', () => {
    const { dropout } = always;
    const side = (pixels: number) =>
      drawAugmentation({ ...off, dropout }, [pixels, pixels], key).holes.map(({ height }) => height);
    expect(side(512)).toEqual(Array.from({ length: 6 }, () => 24));
    expect(side(64)).toEqual(Array.from({ length: 6 }, () => 3));
    expect(side(1)).toEqual(Array.from({ length: 6 }, () => 1));
  });
});
