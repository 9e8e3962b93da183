import { afterAll, describe, expect, test } from 'vitest';
import { Random } from '../../../src/engine/random.js';
import { defineModel } from '../../../src/models/model.js';
import { exportTimm } from '../../../src/models/weights/timm-weights.js';
import { recipeSchema } from '../../../src/recipe/recipe-schema.js';
import { momentumOf, observedWeight, sharesOf } from '../../../src/train/step/micro-batches.js';
import type { ImageBatch } from '../../../src/train/step/step-images.js';
import { type StepBatch, StepProgram } from '../../../src/train/step/step-program.js';
import { freshWeights } from '../../../src/weights/initial-weights.js';
import { testDevice } from '../../device.js';
import { type Digest, expectDigest, relativeError } from '../../golden/digest.js';
import { readGolden } from '../../golden/golden-files.js';
import { goldenBatch, goldenModel, type ModelGolden } from '../../golden/model-golden.js';
import { contentsOf } from './contents-of.js';
import { openStep } from './open-step.js';

const device = await testDevice();
afterAll(() => device.idle());

const CLASSES = 3;
const SIDE = 32;

/** Batches with labels that are unknown here and there, in the first half more often. */
function batchOf(size: number, seed: number): StepBatch & ImageBatch {
  const random = new Random(seed, 'batch');
  return {
    images: Float32Array.from({ length: size * SIDE * SIDE }, () => random.normal(0, 1)),
    targets: Float32Array.from({ length: size * CLASSES }, (_, i) =>
      random.uniform() < (i < (size * CLASSES) / 2 ? 0.5 : 0.1) ? Number.NaN : Number(random.uniform() < 0.3),
    ),
  };
}

/** A network without batch norm, three steps, with so many batches of that size in each. */
async function train(batchSize: number, accumulate: number, changes: object = {}) {
  const definition = defineModel({
    arch: 'convnext_atto',
    width: 8,
    classes: CLASSES,
    imageSize: [SIDE, SIDE],
  });
  const recipe = recipeSchema.parse({
    optimizer: { name: 'sgd', lr: 0.05, momentum: 0.9 },
    ema: { decay: 0.5 },
    accumulate,
    ...changes,
  });
  const { state, options, program } = await openStep(device, {
    definition,
    weights: freshWeights(definition, 1),
    recipe,
    images: [batchSize, SIDE, SIDE, 1],
    steps: 3,
  });
  expect(StepProgram.plan(device, options)).toEqual(program.planned);
  for (let step = 0; step < 3; step++) program.run(batchOf(batchSize * accumulate, step), step);
  const scalars = await program.scalars();
  const contents = await contentsOf(state);
  program.destroy();
  state.destroy();
  return { scalars, contents };
}

describe('batches whose gradients are added up', () => {
  test.each([
    ['the mean over known labels', { loss: { name: 'asl' } }],
    ['the sum', { loss: { name: 'bce', reduction: 'sum' }, optimizer: { name: 'sgd', lr: 0.001 } }],
    ['the mean over images', { loss: { name: 'bce', reduction: 'batchmean' } }],
  ])('change weights as one large batch does: %s', async (_, changes) => {
    const [whole, parts] = [await train(32, 1, changes), await train(8, 4, changes)];
    expect(parts.scalars).toHaveLength(3);
    for (const [step, { loss, gradientNorm }] of parts.scalars.entries()) {
      expect(loss / whole.scalars[step]!.loss).toBeCloseTo(1, 5);
      expect(gradientNorm / whole.scalars[step]!.gradientNorm).toBeCloseTo(1, 4);
    }
    for (const arena of ['params', 'average']) {
      for (const [name, values] of whole.contents[arena]!) {
        expect(relativeError(parts.contents[arena]!.get(name)!, values), name).toBeLessThan(1e-5);
      }
    }
  });

  test('leave everything as it was where one of them is not finite, and go on after it', async () => {
    const definition = defineModel({
      arch: 'resnet10',
      stem: 'small-stride2',
      width: 4,
      classes: CLASSES,
      imageSize: [SIDE, SIDE],
    });
    const recipe = recipeSchema.parse({ accumulate: 2, ema: { decay: 0.5 } });
    const { state, program } = await openStep(device, {
      definition,
      weights: freshWeights(definition, 1),
      recipe,
      images: [4, SIDE, SIDE, 1],
      steps: 3,
    });
    const before = await contentsOf(state);
    const broken = batchOf(8, 1);
    broken.images[0] = Number.NaN;
    program.run(broken, 0);
    const after = await contentsOf(state);
    for (const arena of ['params', 'stats', 'average', 'averageStats']) {
      expect(after[arena], arena).toEqual(before[arena]);
    }
    program.run(batchOf(8, 2), 1);
    const [first, second] = await program.scalars();
    expect(first!.gradientNorm).toBeNaN();
    expect(second!.gradientNorm).toBeGreaterThan(0);
    const third = await contentsOf(state);
    expect(third.params).not.toEqual(before.params);
    for (const values of third.stats!.values()) expect(values.every(Number.isFinite)).toBe(true);
    program.destroy();
    state.destroy();
  });

  interface AccumulationGolden extends ModelGolden {
    readonly batches: number;
    readonly sgd: {
      readonly losses: readonly number[];
      readonly gradientNorms: readonly number[];
      readonly parameters: Readonly<Record<string, Digest>>;
      readonly statistics: Readonly<Record<string, Digest>>;
    };
  }

  test('go through batch norms one after the other, as in PyTorch', async () => {
    const golden = readGolden<AccumulationGolden>('accumulation.json.gz');
    const { definition, weights } = goldenModel(golden);
    const recipe = recipeSchema.parse({
      optimizer: { name: 'sgd', lr: 0.05, momentum: 0.9, weightDecay: 0, clipNorm: 1 },
      ema: false,
      accumulate: golden.batches,
    });
    const [images, height, width, channels] = golden.images;
    const { state, program } = await openStep(device, {
      definition,
      weights,
      recipe,
      images: [images / golden.batches, height, width, channels],
      steps: 10,
    });
    for (let step = 0; step < golden.sgd.losses.length; step++) program.run(goldenBatch(golden), step);
    const scalars = await program.scalars();
    const losses = scalars.map(({ loss }) => loss);
    const norms = scalars.map(({ gradientNorm }) => gradientNorm);
    expect(relativeError(losses, golden.sgd.losses)).toBeLessThan(1e-5);
    expect(relativeError(norms, golden.sgd.gradientNorms)).toBeLessThan(1e-4);
    const [parameters, statistics] = [
      await state.arena('params').readAll(),
      await state.arena('stats').readAll(),
    ];
    const exported = exportTimm(definition, { parameters, statistics });
    for (const [name, digest] of Object.entries({ ...golden.sgd.parameters, ...golden.sgd.statistics })) {
      expectDigest(name, exported.get(name)!.data as Float32Array, digest, 1e-4);
    }
    program.destroy();
    state.destroy();
  });
});

describe('weights of the batches of a step', () => {
  const targets = Float32Array.of(1, Number.NaN, 0, Number.NaN, 1, 1, 0, 0);

  test('are their shares of the known labels in a mean', () => {
    const mean = { kind: 'entries', reduction: 'mean' } as const;
    expect(sharesOf(targets, 2, mean)).toEqual([2 / 6, 4 / 6]);
    expect(sharesOf(new Float32Array(4).fill(Number.NaN), 2, mean)).toEqual([0, 0]);
    expect(sharesOf(targets, 2, { kind: 'entries', reduction: 'sum' })).toEqual([1, 1]);
    expect(sharesOf(targets, 4, { kind: 'batch', reduction: 'mean' })).toEqual([0.25, 0.25, 0.25, 0.25]);
  });

  test('make running statistics what they are after one batch at a time', () => {
    const [start, observed] = [3, [0.5, -1, 2, 4]];
    const expected = observed.reduce((running, value) => 0.9 * running + 0.1 * value, start);
    const mean = observed.reduce((m, value, k) => m + observedWeight(k) * (value - m), 0);
    const momentum = momentumOf(observed.length);
    expect(start + momentum * (mean - start)).toBeCloseTo(expected, 12);
  });
});
