import { z } from 'zod';
import { Random } from '../../engine/random.js';
import { cutmixSchema, mixupSchema } from './mix.js';

/**
 * Random changes to training pictures: those of the paper's Task 1 recipe (arXiv 2602.13430), with its values as
 * defaults, each with a probability of its own and each to be switched off with `false`. They act on grey values in
 * [0, 1] before normalisation.
 *
 * Drawing and applying are two steps. A draw is a small record of numbers; kernels apply it (src/kernels/image/), without
 * a generator that has a state.
 */

const probability = z.number().min(0).max(1);

const changes = z.strictObject({
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
  /**
   * Contrast-limited adaptive histogram equalization on L of CIELAB, over tiles × tiles. The limit is drawn from 1 to
   * `clip`, in counts of a flat histogram.
   */
  clahe: z
    .union([
      z.literal(false),
      z.strictObject({
        p: probability.default(0.2),
        clip: z.number().min(1).max(256).default(2),
        tiles: z.int().min(1).max(32).default(8),
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
  /** Some pictures are blended with another one of the epoch, and their labels with its; see mix.ts. */
  mixup: mixupSchema,
  /** Some pictures have a box of another one in their place. */
  cutmix: cutmixSchema,
});

export const augmentSchema = changes.refine(
  ({ mixup, cutmix }) => mixup === false || cutmix === false || mixup.p + cutmix.p <= 1,
  {
    path: ['cutmix', 'p'],
    message: 'and mixup.p must add up to 1 at most: a picture is mixed in one way or in none',
  },
);

export type Augmentation = z.infer<typeof augmentSchema>;

/** Names one drawing of random numbers. `slot` is the place in the epoch's order, so that repeats of a sample differ. */
export interface AugmentKey {
  seed: number;
  epoch: number;
  slot: number;
}

/** The changes to one picture, in the order in which they are applied. */
export interface AugmentDraw {
  /** Mirror left and right. */
  readonly flip: boolean;
  readonly move: Movement | null;
  /** The most that a grey level may count in a tile, as a multiple of a flat histogram's. */
  readonly clahe: { readonly clip: number } | null;
  /** x·gain + offset, kept in [0, 1]. */
  readonly tone: { readonly gain: number; readonly offset: number } | null;
  /** Gaussian noise, a number a pixel by a hash of `key` and the pixel's number; the sum is kept in [0, 1]. */
  readonly noise: { readonly deviation: number; readonly key: readonly [number, number] } | null;
  /** Rectangles in pixels that become black. */
  readonly holes: readonly Hole[];
}

export interface Movement {
  /** Pixels to the right. */
  readonly shiftX: number;
  /** Pixels down. */
  readonly shiftY: number;
  /** Larger than 1 enlarges. */
  readonly scale: number;
  /** Counter-clockwise as seen. */
  readonly radians: number;
}

export interface Hole {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** Nothing is changed. */
export const UNCHANGED: AugmentDraw = {
  flip: false,
  move: null,
  clahe: null,
  tone: null,
  noise: null,
  holes: [],
};

/** Draws the changes to one picture of [height, width] pixels. The same key gives the same draw, whatever came before. */
export function drawAugmentation(
  augmentation: Augmentation,
  [height, width]: readonly [number, number],
  key: AugmentKey,
): AugmentDraw {
  /** A stream for each change, so that switching one off leaves the others' numbers as they were; null if not drawn. */
  const drawn = (name: string, settings: false | { p: number }): Random | null => {
    if (settings === false) return null;
    const random = new Random(key.seed, 'augment', key.epoch, key.slot, name);
    return random.chance(settings.p) ? random : null;
  };
  const { flip, affine, clahe, brightnessContrast, noise, dropout } = augmentation;
  return {
    flip: drawn('flip', flip) !== null,
    move: drawMovement(drawn('affine', affine), affine, height, width),
    clahe: drawClahe(drawn('clahe', clahe), clahe),
    tone: drawTone(drawn('brightnessContrast', brightnessContrast), brightnessContrast),
    noise: drawNoise(drawn('noise', noise), noise),
    holes: drawHoles(drawn('dropout', dropout), dropout, height, width),
  };
}

function drawMovement(
  random: Random | null,
  affine: Augmentation['affine'],
  height: number,
  width: number,
): Movement | null {
  if (random === null || affine === false) return null;
  return {
    shiftX: random.uniform(-affine.shift, affine.shift) * width,
    shiftY: random.uniform(-affine.shift, affine.shift) * height,
    scale: 1 + random.uniform(-affine.scale, affine.scale),
    radians: (random.uniform(-affine.rotate, affine.rotate) * Math.PI) / 180,
  };
}

function drawClahe(random: Random | null, settings: Augmentation['clahe']): AugmentDraw['clahe'] {
  if (random === null || settings === false) return null;
  return { clip: random.uniform(1, settings.clip) };
}

function drawTone(random: Random | null, settings: Augmentation['brightnessContrast']): AugmentDraw['tone'] {
  if (random === null || settings === false) return null;
  const gain = 1 + random.uniform(-settings.contrast, settings.contrast);
  return { gain, offset: random.uniform(-settings.brightness, settings.brightness) };
}

function drawNoise(random: Random | null, settings: Augmentation['noise']): AugmentDraw['noise'] {
  if (random === null || settings === false) return null;
  const deviation = Math.sqrt(random.uniform(...settings.variance)) / 255;
  return { deviation, key: [random.uint32(), random.uint32()] };
}

function drawHoles(
  random: Random | null,
  settings: Augmentation['dropout'],
  height: number,
  width: number,
): Hole[] {
  if (random === null || settings === false) return [];
  const holeHeight = Math.max(1, Math.round(settings.side * height));
  const holeWidth = Math.max(1, Math.round(settings.side * width));
  return Array.from({ length: settings.holes }, () => ({
    top: random.int(height - holeHeight + 1),
    left: random.int(width - holeWidth + 1),
    height: holeHeight,
    width: holeWidth,
  }));
}
