import { drawAugmentation, UNCHANGED } from '../../data/images/augment.js';
import { greyPixels } from '../../data/images/prepare.js';
import type { Device } from '../../engine/device.js';
import { elementCount } from '../../engine/graph/tensor.js';
import { Random } from '../../engine/random.js';
import { lossOf } from '../../recipe/recipe-loss.js';
import type { Recipe } from '../../recipe/recipe-schema.js';
import { planesOf } from './step-images.js';
import type { StepScalars } from './step-program.js';
import { Trainer } from './trainer.js';

/**
 * Whether a network can be trained on a device at all, and how fast: evaluations and training steps of fresh weights on
 * noise.
 */
export interface TrialRun {
  /** Milliseconds until everything was compiled and on the device. */
  readonly preparationMs: number;
  /** Milliseconds of the second of two batches: scored, and trained on. */
  readonly evaluationMs: number;
  readonly stepMs: number;
  /** Bytes on the device at the peak. */
  readonly bytes: number;
  /** Of both training steps. */
  readonly scalars: readonly StepScalars[];
}

/** @throws what `Trainer.create` throws; what the device reports */
export async function trialRun(device: Device, recipe: Recipe, classes: number): Promise<TrialRun> {
  const { batchSize, accumulate, preprocessing, augment } = recipe;
  const began = performance.now();
  const trainer = await Trainer.create(device, {
    recipe,
    classes,
    loss: lossOf(recipe.loss),
    statistics: { classCounts: new Array<number>(classes).fill(1), samples: batchSize },
    stepsPerEpoch: 2,
  });
  try {
    await trainer.initialise();
    const preparationMs = performance.now() - began;
    const [height, width] = preprocessing.size;
    const random = new Random(recipe.seed, 'trial');
    const planes = planesOf({ preprocessing, augment }, accumulate * batchSize);
    const pixels = greyPixels(preprocessing.bits, elementCount(planes)).map(() => random.int(256));
    const changes = Array.from({ length: augment ? planes[0] : 0 }, (_, slot) =>
      augment
        ? drawAugmentation(augment, preprocessing.size, { seed: recipe.seed, epoch: 0, slot })
        : UNCHANGED,
    );
    const targets = Float32Array.from({ length: accumulate * batchSize * classes }, (_, i) =>
      Number(i % 7 === 0),
    );
    const shown = greyPixels(preprocessing.bits, batchSize * height * width).map(() => random.int(256));
    const score = () => trainer.inference.probabilities(shown);
    const scalars: StepScalars[] = [];
    const train = async () => {
      trainer.step.run({ pixels, changes, mixes: [], targets }, scalars.length);
      scalars.push(...(await trainer.step.scalars()));
    };
    const evaluationMs = await secondOf(score);
    const stepMs = await secondOf(train);
    return { preparationMs, evaluationMs, stepMs, bytes: trainer.peakBytes, scalars };
  } finally {
    trainer.destroy();
  }
}

/** The first run may still wait for what a driver does late. @returns milliseconds of the second */
async function secondOf(run: () => Promise<unknown>): Promise<number> {
  await run();
  const began = performance.now();
  await run();
  return performance.now() - began;
}
