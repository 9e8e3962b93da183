import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Augmentation,
  type AugmentKey,
  applyAugmentation,
  augmentSchema,
  drawAugmentation,
  moveGrey,
} from '../../../src/data/images/augment.js';
import { picture } from './pictures.js';

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
const grey = () => Float32Array.from(picture(...size), (value) => value / 65535);
const key = { seed: 1, epoch: 2, slot: 3 };

function augmentGrey(
  picture: Float32Array,
  shape: readonly [number, number],
  augmentation: Augmentation,
  of: AugmentKey,
): Float32Array {
  return applyAugmentation(picture, shape, drawAugmentation(augmentation, shape, of));
}

test('the defaults are the paper’s', () => {
  expect(augmentSchema.parse({})).toEqual({
    flip: { p: 0.5 },
    affine: { p: 0.4, shift: 0.03, scale: 0.05, rotate: 7 },
    clahe: { p: 0.2, clip: 2, tiles: 8 },
    brightnessContrast: { p: 0.2, brightness: 0.08, contrast: 0.08 },
    noise: { p: 0.15, variance: [1, 5] },
    dropout: { p: 0.15, holes: 6, side: 24 / 512 },
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

test('the same key gives the same picture in [0, 1]; another key another one', () => {
  const all = augmentSchema.parse({
    flip: { p: 0.5 },
    affine: { p: 1 },
    brightnessContrast: { p: 1 },
    noise: { p: 1 },
    dropout: { p: 1 },
  });
  fc.assert(
    fc.property(fc.nat(), fc.nat(1000), fc.nat(100_000), (seed, epoch, slot) => {
      const once = augmentGrey(grey(), size, all, { seed, epoch, slot });
      expect(augmentGrey(grey(), size, all, { seed, epoch, slot })).toEqual(once);
      expect(augmentGrey(grey(), size, all, { seed, epoch, slot: slot + 1 })).not.toEqual(once);
      expect(augmentGrey(grey(), size, all, { seed, epoch: epoch + 1, slot })).not.toEqual(once);
      expect(augmentGrey(grey(), size, all, { seed: seed + 1, epoch, slot })).not.toEqual(once);
      expect(once.every((value) => value >= 0 && value <= 1)).toBe(true);
    }),
    { numRuns: 20 },
  );
});

test('switching one off leaves the others’ numbers as they were', () => {
  const noise = augmentSchema.parse({ ...off, noise: { p: 1 } });
  const withUnused = augmentSchema.parse({ ...off, noise: { p: 1 }, flip: { p: 0 }, affine: { p: 0 } });
  expect(augmentGrey(grey(), size, withUnused, key)).toEqual(augmentGrey(grey(), size, noise, key));
});

test('a draw is plain data, and applying it leaves the picture given as it is', () => {
  const every = augmentSchema.parse({
    flip: { p: 1 },
    affine: { p: 1 },
    brightnessContrast: { p: 1 },
    noise: { p: 1 },
    dropout: { p: 1 },
  });
  const draw = drawAugmentation(every, size, key);
  const given = grey();
  const once = applyAugmentation(given, size, draw);
  expect(given).toEqual(grey());
  expect(applyAugmentation(given, size, JSON.parse(JSON.stringify(draw)))).toEqual(once);
  expect(once).not.toEqual(given);
});

test('draws are those of earlier versions', () => {
  const digest = createHash('sha256');
  const always = augmentSchema.parse({
    affine: { p: 1 },
    clahe: { p: 1 },
    brightnessContrast: { p: 1 },
    noise: { p: 1 },
    dropout: { p: 1 },
  });
  for (const augmentation of [augmentSchema.parse({}), always]) {
    for (let slot = 0; slot < 40; slot++) {
      digest.update(JSON.stringify(drawAugmentation(augmentation, size, { seed: 5, epoch: 1, slot })));
    }
  }
  expect(digest.digest('hex')).toBe('521dadeefc3e51d65bc293b8735600dd2a2412f9e396c5da347378b0c3282844');
});

test('all off changes nothing', () => {
  expect(augmentGrey(grey(), size, off, key)).toEqual(grey());
});

test('probabilities are met', () => {
  const changed = (augmentation: Augmentation) => {
    let count = 0;
    for (let slot = 0; slot < 2000; slot++) {
      const small = Float32Array.of(0.25, 0.5, 0.75, 0.4);
      const out = augmentGrey(small.slice(), [2, 2], augmentation, { seed: 9, epoch: 0, slot });
      if (out.some((value, i) => value !== small[i])) count++;
    }
    return count / 2000;
  };
  // three standard deviations of a share of 2,000 are at most 0.034
  expect(Math.abs(changed({ ...off, flip: { p: 0.5 } }) - 0.5)).toBeLessThan(0.034);
  const { noise, brightnessContrast } = augmentSchema.parse({});
  expect(Math.abs(changed({ ...off, noise }) - 0.15)).toBeLessThan(0.034);
  expect(Math.abs(changed({ ...off, brightnessContrast }) - 0.2)).toBeLessThan(0.034);
});

test('flip mirrors every row', () => {
  const out = augmentGrey(
    Float32Array.of(0, 0.1, 0.2, 0.3, 0.4, 0.5),
    [2, 3],
    { ...off, flip: { p: 1 } },
    key,
  );
  expect(out).toEqual(Float32Array.of(0.2, 0.1, 0, 0.5, 0.4, 0.3));
});

describe('movement', () => {
  const still = { shiftX: 0, shiftY: 0, scale: 1, radians: 0 };
  const plane = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9);

  test.each([
    ['nothing', {}, [1, 2, 3, 4, 5, 6, 7, 8, 9]],
    ['one to the right', { shiftX: 1 }, [0, 1, 2, 0, 4, 5, 0, 7, 8]],
    ['one down', { shiftY: 1 }, [0, 0, 0, 1, 2, 3, 4, 5, 6]],
    ['half a pixel to the left', { shiftX: -0.5 }, [1.5, 2.5, 1.5, 4.5, 5.5, 3, 7.5, 8.5, 4.5]],
    ['twice as large', { scale: 2 }, [3, 3.5, 4, 4.5, 5, 5.5, 6, 6.5, 7]],
    ['a quarter turn counter-clockwise', { radians: Math.PI / 2 }, [3, 6, 9, 2, 5, 8, 1, 4, 7]],
  ])('%s', (_, change, expected) => {
    for (const [i, value] of moveGrey(plane, 3, 3, { ...still, ...change }).entries()) {
      expect(value).toBeCloseTo(expected[i] ?? -1, 6);
    }
  });

  test('the drawn shift, scale and rotation stay within their bounds', () => {
    // a single bright pixel at the centre only moves by the shift
    const affine = { p: 1, shift: 0.1, scale: 0, rotate: 0 };
    for (let slot = 0; slot < 200; slot++) {
      const dot = new Float32Array(41 * 41);
      dot[20 * 41 + 20] = 1;
      const moved = augmentGrey(dot, [41, 41], { ...off, affine }, { seed: 3, epoch: 0, slot });
      let [x, y, mass] = [0, 0, 0];
      for (const [i, value] of moved.entries()) {
        mass += value;
        x += value * (i % 41);
        y += value * Math.floor(i / 41);
      }
      expect(mass).toBeCloseTo(1, 5);
      expect(Math.abs(x - 20)).toBeLessThanOrEqual(4.1001);
      expect(Math.abs(y - 20)).toBeLessThanOrEqual(4.1001);
    }
  });
});

test('noise has the asked-for deviation', () => {
  const flat = augmentGrey(
    new Float32Array(10_000).fill(0.5),
    [100, 100],
    { ...off, noise: { p: 1, variance: [4, 4] } },
    key,
  );
  const mean = flat.reduce((sum, value) => sum + value, 0) / flat.length;
  const variance = flat.reduce((sum, value) => sum + (value - mean) ** 2, 0) / flat.length;
  expect(mean).toBeCloseTo(0.5, 3);
  expect(Math.sqrt(variance) * 255).toBeCloseTo(2, 1);
});

test('dropout makes holes of the asked-for size', () => {
  const flat = augmentGrey(
    new Float32Array(64 * 64).fill(1),
    [64, 64],
    { ...off, dropout: { p: 1, holes: 1, side: 24 / 512 } },
    key,
  );
  expect(flat.filter((value) => value === 0)).toHaveLength(9);
  const tiny = Float32Array.of(1);
  expect([...augmentGrey(tiny, [1, 1], { ...off, dropout: { p: 1, holes: 3, side: 0.01 } }, key)]).toEqual([
    0,
  ]);
});
