import { describe, expect, test } from 'vitest';
import { Random } from '../../../src/engine/random.js';
import type { PictureChanges } from '../../../src/kernels/image/change-table.js';
import { counterHash, normal } from './augment-reference.js';
import {
  byKernels,
  byReference,
  distanceFromReference,
  EVERYTHING,
  IMPOSSIBLE,
  largestDifference,
  NOTHING,
  pictures,
} from './augmented.js';

const possible = {
  ...IMPOSSIBLE,
  brightnessContrast: EVERYTHING.brightnessContrast,
  noise: EVERYTHING.noise,
  dropout: EVERYTHING.dropout,
};

/** Strong changes of every combination, holes at the edges among them. */
function tones(n: number, [height, width]: readonly [number, number]): PictureChanges[] {
  const random = new Random(5, 'tones', height, width);
  const hole = { height: Math.ceil(height / 5), width: Math.ceil(width / 4) };
  return Array.from({ length: n }, (_, i) => ({
    ...NOTHING,
    tone: i & 1 ? { gain: random.uniform(0.3, 1.7), offset: random.uniform(-0.5, 0.5) } : null,
    noise: i & 2 ? { deviation: random.uniform(0, 0.2), key: [random.uint32(), random.uint32()] } : null,
    holes:
      i & 4
        ? [
            { ...hole, top: 0, left: 0 },
            { ...hole, top: height - hole.height, left: width - hole.width },
            ...Array.from({ length: random.int(5) }, () => ({
              ...hole,
              top: random.int(height - hole.height + 1),
              left: random.int(width - hole.width + 1),
            })),
          ]
        : [],
  }));
}

describe('contrast and brightness, noise, holes', () => {
  test.each([
    [1, 1, 8],
    [5, 7, 16],
    [28, 28, 8],
    [40, 33, 8],
    [36, 64, 8],
  ])('equal float64 at %i × %i', async (height, width, n) => {
    const changes = tones(n, [height, width]);
    expect(await distanceFromReference([n, height, width], changes, possible)).toBeLessThan(1e-6);
  });

  test('noise is normal, whatever the key: mean, variance, tails, neighbours, pictures', async () => {
    const shape = [4, 256, 256] as const;
    const deviation = 0.05;
    const keys = [
      [0, 0],
      [1, 0],
      [0, 1],
      [0xffffffff, 0x80000000],
    ] as const;
    const out = await byKernels(
      new Float32Array(4 * 65536).fill(0.5),
      shape,
      keys.map((key) => ({ ...NOTHING, noise: { deviation, key } })),
      possible,
    );
    const noise = Array.from(out, (value) => (value - 0.5) / deviation);
    const each = keys.map((_, i) => noise.slice(i * 65536, (i + 1) * 65536));
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const product = (a: number[], b: number[]) => mean(a.map((value, i) => value * b[i]!));
    // five standard deviations of a mean over 65,536 of numbers with variance 1 (2 for squares, 96 for fourth powers)
    const near = (variance: number) => 5 * Math.sqrt(variance / 65536);
    for (const own of each) {
      expect(Math.abs(mean(own))).toBeLessThan(near(1));
      expect(Math.abs(product(own, own) - 1)).toBeLessThan(near(2));
      expect(Math.abs(mean(own.map((value) => value ** 4)) - 3)).toBeLessThan(near(96));
      for (const lag of [1, 2, 4, 255, 256]) {
        expect(Math.abs(product(own.slice(lag), own.slice(0, -lag)))).toBeLessThan(near(1.01));
      }
    }
    for (const [a, b] of [
      [0, 1],
      [0, 2],
      [1, 2],
      [0, 3],
    ] as const) {
      expect(Math.abs(product(each[a]!, each[b]!))).toBeLessThan(near(1));
    }
    // 0.13499 % lie beyond three deviations on either side
    const beyond = noise.filter((value) => Math.abs(value) > 3).length / noise.length;
    expect(Math.abs(beyond - 0.0026998)).toBeLessThan(5 * Math.sqrt(0.0027 / noise.length));
  });

  test('the reference itself: known quantiles, and hashes by hand', () => {
    // Φ⁻¹(0.75), Φ⁻¹(0.975) and Φ⁻¹(1 − 2⁻²⁵), from tables
    expect(normal(((2 ** 22) << 9) >>> 0)).toBeCloseTo(0.6744897, 6);
    expect(normal(Math.round(0.025 * 2 ** 24) * 512 + 1)).toBeCloseTo(-1.959964, 5);
    expect(normal(0)).toBeCloseTo(5.419983, 5);
    expect(counterHash(0, 0, 0)).toBe(0);
  });

  test('one kernel for what may happen, none for nothing', async () => {
    const batch = pictures(2, 8, 8);
    const changes = tones(8, [8, 8]).slice(6);
    for (const only of ['brightnessContrast', 'noise', 'dropout'] as const) {
      const own = { ...IMPOSSIBLE, [only]: EVERYTHING[only] };
      const [a, b] = changes as [PictureChanges, PictureChanges];
      const kept = [a, b].map(({ tone, noise, holes }) => ({
        ...NOTHING,
        tone: only === 'brightnessContrast' ? tone : null,
        noise: only === 'noise' ? noise : null,
        holes: only === 'dropout' ? holes : [],
      }));
      const out = await byKernels(batch, [2, 8, 8], kept, own);
      expect(largestDifference(out, byReference(batch, [2, 8, 8], kept))).toBeLessThan(1e-6);
      expect(out).not.toEqual(batch);
    }
  });
});
