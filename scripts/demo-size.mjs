// @ts-check
/**
 * How large a demo an adapter can do while somebody waits for it: fewer images and epochs on a slow one.
 */

/**
 * @typedef {object} DemoSize
 * @property {number} images drawn, training and test together
 * @property {number} epochs
 * @property {number} seconds that the adapter computes, about
 */

/** Seconds of computing that the demo may take on the adapter: the rest of it takes one more minute. */
const PATIENCE = 110;

/** The largest that fits is taken; where none fits, the last. */
const SIZES = [
  { images: 2000, epochs: 12 },
  { images: 1500, epochs: 10 },
  { images: 1200, epochs: 8 },
  { images: 1000, epochs: 7 },
  { images: 800, epochs: 6 },
  { images: 600, epochs: 5 },
];

/** GFLOP of an image in a training step of recipes/quick.yaml, as `train --explain` counts them, and in a scoring one. */
export const TRAINED = 0.097;
export const SCORED = 0.032;

/** Parts of the images, after the recipe and `synth`: a fifth is for testing, 0.15 of the rest for validation. */
const TRAINING_PART = 0.68;
const VALIDATION_PART = 0.12;
const TEST_PART = 0.2;

/**
 * The share of an adapter's best multiply-add rate that this small network's steps reach, from `train --explain`:
 * SwiftShader's compiler keeps fewer values in registers.
 * @param {string | undefined} kind
 */
function shareOf(kind) {
  return kind === 'swiftshader' ? 0.075 : 0.2;
}

/**
 * @param {{ kind?: string | undefined, gflops: number }} adapter its kind and best multiply-add rate, from `devices --json --measure`
 * @returns {DemoSize}
 */
export function demoSize({ kind, gflops }) {
  const candidates = SIZES.map((size) => ({ ...size, seconds: work(size) / (shareOf(kind) * gflops) }));
  const fitting = candidates.find(({ seconds }) => seconds <= PATIENCE) ?? candidates.at(-1);
  if (!fitting) throw new Error('there is no size');
  return fitting;
}

/**
 * GFLOP of a training with its validations, and of scoring its best checkpoint.
 * @param {{ images: number, epochs: number }} size
 */
function work({ images, epochs }) {
  const epoch = TRAINING_PART * TRAINED + VALIDATION_PART * SCORED;
  return images * (epochs * epoch + (VALIDATION_PART + TEST_PART) * SCORED);
}
