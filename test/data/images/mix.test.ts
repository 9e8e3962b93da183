import { describe, expect, test } from 'vitest';
import { augmentSchema } from '../../../src/data/images/augment.js';
import {
  cutmixSchema,
  drawMix,
  isMixing,
  type Mix,
  type Mixing,
  mixLabels,
  mixupSchema,
} from '../../../src/data/images/mix.js';

const size = [40, 60] as const;
const MANY = 20_000;

function draws(mixing: Mixing): (Mix | null)[] {
  return Array.from({ length: MANY }, (_, slot) =>
    drawMix(mixing, size, { seed: 3, epoch: 2, slot, slots: MANY }),
  );
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('draws', () => {
  test('absent by default; a setting of its own has the papers’ α', () => {
    expect([mixupSchema.parse(undefined), cutmixSchema.parse(undefined)]).toEqual([false, false]);
    expect(mixupSchema.parse({})).toEqual({ p: 0.5, alpha: 0.2 });
    expect(cutmixSchema.parse({})).toEqual({ p: 0.5, alpha: 1 });
    expect(isMixing({ mixup: false, cutmix: false })).toBe(false);
    expect(isMixing({ mixup: false, cutmix: { p: 0.1, alpha: 1 } })).toBe(true);
    const key = { seed: 1, epoch: 0, slot: 0, slots: 9 };
    expect(drawMix({ mixup: false, cutmix: false }, size, key)).toBeNull();
  });

  test('shares of pictures that add up to more than all are refused', () => {
    const given = { mixup: { p: 0.7 }, cutmix: { p: 0.4 } };
    const [issue] = augmentSchema.safeParse(given).error?.issues ?? [];
    expect(issue).toMatchObject({ path: ['cutmix', 'p'], message: expect.stringContaining('mixup.p') });
    expect(augmentSchema.safeParse({ ...given, cutmix: { p: 0.3 } }).success).toBe(true);
  });

  test('shares of pictures, partners, and weights of Beta(α, α)', () => {
    const all = draws({ mixup: { p: 0.3, alpha: 0.4 }, cutmix: { p: 0.2, alpha: 1 } });
    const mixed = all.flatMap((mix, slot) => (mix === null ? [] : [{ ...mix, slot }]));
    const blended = mixed.filter(({ box }) => box === null);
    expect(blended.length / MANY).toBeCloseTo(0.3, 1.5);
    expect((mixed.length - blended.length) / MANY).toBeCloseTo(0.2, 1.5);
    expect(mixed.every(({ partner, slot }) => partner !== slot && partner >= 0 && partner < MANY)).toBe(true);
    expect(mean(mixed.map(({ partner }) => partner / MANY))).toBeCloseTo(0.5, 1.5);
    const weights = blended.map(({ own }) => own);
    expect(mean(weights)).toBeCloseTo(0.5, 1.5);
    // variance 1/(4(2α + 1))
    expect(mean(weights.map((own) => (own - 0.5) ** 2))).toBeCloseTo(1 / (4 * 1.8), 1.9);
    expect(blended.every(({ own, weight }) => own === weight)).toBe(true);
  });

  test('the labels of a pasted box go by the pixels that it covers', () => {
    const [height, width] = size;
    const all = draws({ mixup: false, cutmix: { p: 1, alpha: 1 } });
    let cutOff = 0;
    for (const mix of all.slice(0, 2000)) {
      const { top, left, bottom, right } = mix!.box!;
      expect(top >= 0 && left >= 0 && bottom <= height && right <= width).toBe(true);
      expect(bottom >= top && right >= left).toBe(true);
      let covered = 0;
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) if (y >= top && y < bottom && x >= left && x < right) covered++;
      }
      expect(mix!.own).toBeCloseTo(1 - covered / (height * width), 12);
      expect(mix!.weight).toBe(1);
      if (top === 0 || left === 0 || bottom === height || right === width) cutOff++;
    }
    expect(cutOff).toBeGreaterThan(200);
  });

  test('a draw depends on seed, epoch and slot alone', () => {
    const mixing: Mixing = { mixup: { p: 1, alpha: 1 }, cutmix: false };
    const key = { seed: 1, epoch: 2, slot: 3, slots: 50 };
    const first = drawMix(mixing, size, key);
    expect(drawMix(mixing, size, key)).toEqual(first);
    for (const change of [{ seed: 2 }, { epoch: 3 }, { slot: 4 }]) {
      expect(drawMix(mixing, size, { ...key, ...change })).not.toEqual(first);
    }
    expect(drawMix(mixing, size, { ...key, slot: 0, slots: 1 })).toBeNull();
  });
});

describe('labels', () => {
  const own = Float32Array.of(1, 0, 1, Number.NaN, 0);
  const partner = Float32Array.of(0, 0, 1, 1, Number.NaN);

  test('are mixed by weight, and unknown where either is', () => {
    expect([...mixLabels(own, partner, 0.75)]).toEqual([0.75, 0, 1, Number.NaN, Number.NaN]);
  });

  test('are those of one picture where it has all the weight', () => {
    expect([...mixLabels(own, partner, 1)]).toEqual([...own]);
    expect([...mixLabels(own, partner, 0)]).toEqual([...partner]);
  });
});
