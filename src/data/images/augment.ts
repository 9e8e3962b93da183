import { z } from 'zod';
import { Random } from '../../engine/random.js';

/**
 * Random changes to training pictures: those of the paper's Task 1 recipe (arXiv 2602.13430), with its values as
 * defaults, each with a probability of its own and each to be switched off with `false`. They act on grey values in
 * [0, 1] before normalisation. CLAHE, the recipe's sixth, is not among them yet.
 */

const probability = z.number().min(0).max(1);

export const augmentSchema = z.strictObject({
  /** Mirrors left and right. The heart moves to the right with it: the recipe does so all the same. */
  flip: z.union([z.literal(false), z.strictObject({ p: probability.default(0.5) })]).prefault({}),
  /** Shift (share of the side), scale (1 ± scale) and rotation (degrees) in one resampling; black comes in from outside. */
  affine: z
    .union([
      z.literal(false),
      z.strictObject({
        p: probability.default(0.4),
        shift: z.number().min(0).max(1).default(0.03),
        scale: z.number().min(0).max(0.9).default(0.05),
        rotate: z.number().min(0).max(180).default(7),
      }),
    ])
    .prefault({}),
  /** x·(1 ± contrast) ± brightness. */
  brightnessContrast: z
    .union([
      z.literal(false),
      z.strictObject({
        p: probability.default(0.2),
        brightness: z.number().min(0).max(1).default(0.08),
        contrast: z.number().min(0).max(1).default(0.08),
      }),
    ])
    .prefault({}),
  /** Gaussian noise; the variance is drawn from the range, in squared 8-bit grey levels (0…255). */
  noise: z
    .union([
      z.literal(false),
      z.strictObject({
        p: probability.default(0.15),
        variance: z
          .tuple([z.number().min(0), z.number().min(0)])
          .refine(([low, high]) => low <= high, 'the variance range must not fall')
          .default([1, 5]),
      }),
    ])
    .prefault({}),
  /** Black rectangles; their side is a share of the picture's (the recipe's 24 of 512 pixels). */
  dropout: z
    .union([
      z.literal(false),
      z.strictObject({
        p: probability.default(0.15),
        holes: z.int().min(1).max(64).default(6),
        side: z
          .number()
          .positive()
          .max(1)
          .default(24 / 512),
      }),
    ])
    .prefault({}),
});

export type Augmentation = z.infer<typeof augmentSchema>;

/** Names one drawing of random numbers. `slot` is the place in the epoch's order, so that repeats of a sample differ. */
export interface AugmentKey {
  seed: number;
  epoch: number;
  slot: number;
}

/**
 * Augments one grey picture [height, width] with values in [0, 1]; writes to `grey` and returns it. The same key
 * gives the same picture, whatever was augmented before.
 */
export function augmentGrey(
  grey: Float32Array,
  [height, width]: readonly [number, number],
  augmentation: Augmentation,
  key: AugmentKey,
): Float32Array {
  // a stream for each, so that switching one off leaves the others' numbers as they were
  const stream = (name: string) => new Random(key.seed, 'augment', key.epoch, key.slot, name);
  const { flip, affine, brightnessContrast, noise, dropout } = augmentation;
  if (flip !== false && stream('flip').chance(flip.p)) flipRows(grey, height, width);
  if (affine !== false) {
    const random = stream('affine');
    if (random.chance(affine.p)) {
      const move = {
        shiftX: random.uniform(-affine.shift, affine.shift) * width,
        shiftY: random.uniform(-affine.shift, affine.shift) * height,
        scale: 1 + random.uniform(-affine.scale, affine.scale),
        radians: (random.uniform(-affine.rotate, affine.rotate) * Math.PI) / 180,
      };
      grey.set(moveGrey(grey, height, width, move));
    }
  }
  if (brightnessContrast !== false) {
    const random = stream('brightnessContrast');
    if (random.chance(brightnessContrast.p)) {
      const { brightness, contrast } = brightnessContrast;
      const gain = 1 + random.uniform(-contrast, contrast);
      const offset = random.uniform(-brightness, brightness);
      for (let i = 0; i < grey.length; i++) grey[i] = clamp((grey[i] ?? 0) * gain + offset);
    }
  }
  if (noise !== false) {
    const random = stream('noise');
    if (random.chance(noise.p)) {
      const deviation = Math.sqrt(random.uniform(...noise.variance)) / 255;
      for (let i = 0; i < grey.length; i++) grey[i] = clamp((grey[i] ?? 0) + random.normal(0, deviation));
    }
  }
  if (dropout !== false) {
    const random = stream('dropout');
    if (random.chance(dropout.p)) punchHoles(grey, height, width, dropout, random);
  }
  return grey;
}

export interface Movement {
  /** Pixels to the right. */
  shiftX: number;
  /** Pixels down. */
  shiftY: number;
  /** Larger than 1 enlarges. */
  scale: number;
  /** Counter-clockwise as seen. */
  radians: number;
}

/** Rotates and scales about the centre, then shifts; bilinear, 0 outside. Returns a new picture [height, width]. */
export function moveGrey(grey: Float32Array, height: number, width: number, move: Movement): Float32Array {
  const out = new Float32Array(grey.length);
  const cos = Math.cos(move.radians) / move.scale;
  const sin = Math.sin(move.radians) / move.scale;
  const centreX = (width - 1) / 2;
  const centreY = (height - 1) / 2;
  const at = (y: number, x: number) =>
    x >= 0 && x < width && y >= 0 && y < height ? (grey[y * width + x] ?? 0) : 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      // where the value that lands on (x, y) comes from
      const dx = x - centreX - move.shiftX;
      const dy = y - centreY - move.shiftY;
      const fromX = centreX + cos * dx - sin * dy;
      const fromY = centreY + sin * dx + cos * dy;
      const left = Math.floor(fromX);
      const top = Math.floor(fromY);
      const fx = fromX - left;
      const fy = fromY - top;
      const above = at(top, left) * (1 - fx) + at(top, left + 1) * fx;
      const below = at(top + 1, left) * (1 - fx) + at(top + 1, left + 1) * fx;
      out[y * width + x] = above * (1 - fy) + below * fy;
    }
  }
  return out;
}

function flipRows(grey: Float32Array, height: number, width: number): void {
  for (let y = 0; y < height; y++) grey.subarray(y * width, (y + 1) * width).reverse();
}

function punchHoles(
  grey: Float32Array,
  height: number,
  width: number,
  { holes, side }: { holes: number; side: number },
  random: Random,
): void {
  const holeHeight = Math.max(1, Math.round(side * height));
  const holeWidth = Math.max(1, Math.round(side * width));
  for (let n = 0; n < holes; n++) {
    const top = random.int(height - holeHeight + 1);
    const left = random.int(width - holeWidth + 1);
    for (let y = top; y < top + holeHeight; y++) {
      grey.fill(0, y * width + left, y * width + left + holeWidth);
    }
  }
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}
