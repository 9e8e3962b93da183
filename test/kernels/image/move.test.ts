import { describe, expect, test } from 'vitest';
import { Random } from '../../../src/engine/random.js';
import type { PictureChanges } from '../../../src/kernels/image/change-table.js';
import { readGolden } from '../../golden/golden-files.js';
import { byKernels, distanceFromReference, EVERYTHING, IMPOSSIBLE, NOTHING, pictures } from './augmented.js';

const possible = { ...IMPOSSIBLE, flip: EVERYTHING.flip, affine: EVERYTHING.affine };
const still = { shiftX: 0, shiftY: 0, scale: 1, radians: 0 };

/** Movements far beyond the recipe's, mirrored or not; every fourth picture only mirrored or left alone. */
function movements(n: number, [height, width]: readonly [number, number]): PictureChanges[] {
  const random = new Random(3, 'movements', height, width);
  return Array.from({ length: n }, (_, i) => ({
    ...NOTHING,
    flip: random.chance(0.5),
    move:
      i % 4 === 3
        ? null
        : {
            shiftX: random.uniform(-0.4, 0.4) * width,
            shiftY: random.uniform(-0.4, 0.4) * height,
            scale: random.uniform(0.4, 1.9),
            radians: random.uniform(-Math.PI, Math.PI),
          },
  }));
}

describe('flip, shift, scale and rotation', () => {
  // vec4 and scalar columns; sides of one pixel; the recipe's 512
  test.each([
    [1, 1, 5],
    [1, 9, 5],
    [6, 1, 5],
    [5, 7, 13],
    [28, 28, 9],
    [33, 40, 9],
    [224, 223, 3],
    [512, 512, 2],
  ])('equals float64 at %i × %i', async (height, width, n) => {
    const changes = movements(n, [height, width]);
    expect(await distanceFromReference([n, height, width], changes, possible)).toBeLessThan(6e-5);
  });

  test('no movement and a mirror keep the bits', async () => {
    const shape = [3, 6, 10] as const;
    const batch = pictures(...shape).map((value) => value / 3);
    const out = await byKernels(
      batch,
      shape,
      [
        { ...NOTHING, move: still },
        { ...NOTHING, flip: true },
      ],
      possible,
    );
    const mirrored = Array.from({ length: 60 }, (_, i) => batch[60 + i - (i % 10) + 9 - (i % 10)]!);
    expect(out.subarray(0, 60)).toEqual(batch.subarray(0, 60));
    expect(out.subarray(60, 120)).toEqual(Float32Array.from(mirrored));
    expect(out.subarray(120)).toEqual(batch.subarray(120));
  });

  test('a flip alone has a kernel without movements’ settings', async () => {
    const shape = [1, 1, 4] as const;
    const flipped = await byKernels(Float32Array.of(0, 0.25, 0.5, 1), shape, [{ ...NOTHING, flip: true }], {
      ...IMPOSSIBLE,
      flip: {},
    });
    expect(flipped).toEqual(Float32Array.of(1, 0.5, 0.25, 0));
  });

  test('directions, centre and border are those of OpenCV as albumentations calls it', async () => {
    const { moves } = readGolden<{
      moves: {
        shiftX: number;
        shiftY: number;
        scale: number;
        degrees: number;
        height: number;
        width: number;
        values: number[];
      }[];
    }>('augmentation.json.gz');
    for (const { degrees, height, width, values, ...move } of moves) {
      const picture = Float32Array.from({ length: height * width }, (_, i) => {
        const [y, x] = [Math.floor(i / width), i % width];
        return 0.5 + 0.25 * Math.sin(x / 5) + 0.25 * Math.cos(y / 7);
      });
      const changes = [{ ...NOTHING, move: { ...move, radians: (degrees * Math.PI) / 180 } }];
      const out = await byKernels(picture, [1, height, width], changes, possible);
      // OpenCV rounds places to 1/32 pixel: at slopes of at most 0.05 a pixel, or of 1 at the border
      const differences = Array.from(out, (value, i) => Math.abs(value - values[i]!));
      expect(Math.max(...differences)).toBeLessThan(1 / 32);
      expect(differences.toSorted((a, b) => a - b)[Math.floor(differences.length * 0.9)]).toBeLessThan(
        0.0012,
      );
    }
  });
});
