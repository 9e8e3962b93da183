import { afterAll, describe, expect, test } from 'vitest';
import type { Device } from '../../../src/engine/device.js';
import { Random } from '../../../src/engine/random.js';
import { defineModel, type ModelConfig } from '../../../src/models/model.js';
import { recipeSchema } from '../../../src/recipe/recipe-schema.js';
import { freshWeights } from '../../../src/weights/initial-weights.js';
import { narrowDevice, testDevice } from '../../device.js';
import { relativeError } from '../../golden/digest.js';
import { contentsOf } from './contents-of.js';
import { openStep } from './open-step.js';

const device = await testDevice();
afterAll(() => device.idle());

const CLASSES = 3;
const SIDE = 32;

/** A step over 32 images, in so many batches. */
async function step(
  on: Device,
  model: Pick<ModelConfig, 'arch' | 'width'> & { stem?: 'small' },
  accumulate = 1,
) {
  const definition = defineModel({ ...model, classes: CLASSES, imageSize: [SIDE, SIDE] });
  const recipe = recipeSchema.parse({ optimizer: { name: 'sgd', lr: 0.05 }, ema: false, accumulate });
  const { state, program } = await openStep(on, {
    definition,
    weights: freshWeights(definition, 1),
    recipe,
    images: [32 / accumulate, SIDE, SIDE, 1],
    steps: 1,
  });
  const random = new Random(1, 'rows');
  const images = Float32Array.from({ length: 32 * SIDE * SIDE }, () => random.normal());
  const targets = Float32Array.from({ length: 32 * CLASSES }, () => Number(random.uniform() < 0.3));
  program.run({ images, targets }, 0);
  const [scalars] = await program.scalars();
  const { params, stats } = await contentsOf(state);
  const cut = new Set(
    program.rows.filter(({ variant }) => / in \d+ parts$/.test(variant)).map(({ op }) => op),
  );
  program.destroy();
  state.destroy();
  return { scalars, values: new Map([...(params ?? []), ...(stats ?? [])]), cut };
}

describe('a training step whose tensors are larger than a binding', () => {
  // Room for the largest weight of each, and for the partial sums of its gradient.
  const convnext = { arch: 'convnextv2_atto', width: 8, limit: 98304 };
  const resnet = { arch: 'resnet10', width: 4, stem: 'small', limit: 262144 } as const;

  test.each([
    ['ConvNeXt V2', convnext, 1, ['conv2d', 'conv2dWeightBiasGradient', 'reduce', 'pointwise']],
    ['ConvNeXt V2 against batches cut by hand', convnext, 4, ['conv2d']],
    ['ResNet with batch norms', resnet, 1, ['moments', 'normalizedSums', 'conv2dInputGradient']],
  ])('is that of an adapter that binds it: %s', async (_, { limit, ...model }, accumulate, ops) => {
    const narrow = await narrowDevice(limit);
    const [whole, rows] = [await step(device, model, accumulate), await step(narrow, model)];
    narrow.close();
    expect(whole.cut.size).toBe(0);
    for (const op of ops) expect(rows.cut).toContain(op);
    expect(rows.scalars!.loss / whole.scalars!.loss).toBeCloseTo(1, 5);
    expect(rows.scalars!.gradientNorm / whole.scalars!.gradientNorm).toBeCloseTo(1, 4);
    for (const [name, values] of whole.values) {
      expect(relativeError(rows.values.get(name)!, values), name).toBeLessThan(1e-5);
    }
  });
});
