import { describe, expect, test } from 'vitest';
import { formatModels } from '../../../src/cli/text/model-table.js';
import { assumedGpu } from '../../../src/platform/assumed-gpu.js';
import { parseRecipe } from '../../../src/recipe/recipe.js';
import { lossOf } from '../../../src/recipe/recipe-loss.js';
import type { Recipe } from '../../../src/recipe/recipe-schema.js';
import { matchArchitectures, surveyModel } from '../../../src/train/step/model-survey.js';
import { Trainer } from '../../../src/train/step/trainer.js';
import { largestPlannedBatch, planTrainingMemory } from '../../../src/train/step/training-memory.js';
import { testDevice } from '../../device.js';
import { tinyRecipe } from '../run/tiny-run.js';

const device = await testDevice();

describe('the memory of a training is known before', () => {
  test.each([
    ['as it is', []],
    ['without an average, SGD', ['ema=false', 'optimizer={name: sgd}']],
    ['with a frozen part', ['optimizer.groups=[{match: [conv1, layer1, layer2], freeze: true}]']],
    ['ConvNeXt', ['model={arch: convnextv2_atto, width: 8}', 'preprocessing.size=[32, 40]']],
  ])('%s', async (_, changes) => {
    const recipe = tinyRecipe(...changes);
    const planned = planTrainingMemory(device, recipe, 5);
    const trainer = await Trainer.create(device, {
      recipe,
      classes: 5,
      loss: lossOf(recipe.loss),
      statistics: { classCounts: [1, 2, 3, 4, 5], samples: 20 },
      stepsPerEpoch: 5,
    });
    expect(planned).toEqual({
      state: trainer.state.bytes,
      step: trainer.step.bytes,
      evaluation: trainer.inference.bytes,
      total: trainer.peakBytes,
    });
    trainer.destroy();
  });

  test('what is frozen takes neither gradient nor state', () => {
    const state = (...changes: string[]) => planTrainingMemory(device, tinyRecipe(...changes), 5).state;
    // two moments and a gradient less, and no average of its own
    expect(state('optimizer.groups={backbone: {freeze: true}}')).toBeLessThan(0.3 * state());
  });

  test('a value that is larger than a binding is computed in rows; a single image of it cannot be', () => {
    const recipe: Recipe = {
      ...tinyRecipe('model={arch: convnext_atto}', 'preprocessing.size=[512, 512]'),
      batchSize: 4,
    };
    const [image, batch] = [128 * 128 * 160 * 4, 4 * 128 * 128 * 160 * 4];
    const plans = [batch, image].map((bytes) => planTrainingMemory(assumedGpu(bytes), recipe, 3));
    expect(plans[1]!.state).toBe(plans[0]!.state);
    // Pieces live on their own, and merging takes little.
    expect(plans[1]!.step / plans[0]!.step).toBeCloseTo(1, 1);
    expect(largestPlannedBatch(assumedGpu(image), recipe, 3)).toBe(4);
    expect(largestPlannedBatch(assumedGpu(image - 256), recipe, 3)).toBe(0);
    expect(() => planTrainingMemory(assumedGpu(image - 256), recipe, 3)).toThrow(
      /needs 40(\.0)? MiB at once.* 1 of its 4 rows are too large already/,
    );
  });
});

describe('a survey of architectures', () => {
  test('names are matched by parts or with stars', () => {
    expect(matchArchitectures(['v2_b', 'resnet101'])).toEqual(['resnet101', 'resnet101d', 'convnextv2_base']);
    expect(matchArchitectures(['resnet*d'])).toEqual(
      ['18d', '34d', '50d', '101d', '152d'].map((d) => `resnet${d}`),
    );
    expect(matchArchitectures([]).length).toBeGreaterThan(30);
    expect(() => matchArchitectures(['resnet81'])).toThrow(
      /no architecture is called "resnet81"; did you mean "resnet\d+d?"/,
    );
  });

  const recipe = parseRecipe('batchSize: 2\nmodel: {imageSize: 32}\npreprocessing: {channels: 3}\n', {
    path: 'r',
  });

  test('without a device the table says why memory is left out', async () => {
    const model = await surveyModel('resnet18', { recipe, classes: 1000 });
    expect(model).toMatchObject({ arch: 'resnet18', parameters: 11_689_512 });
    expect(model).not.toHaveProperty('training');
    const table = formatModels([model], { size: [32, 32], batchSize: 2, withoutMemory: 'no adapter.' });
    expect(table.split('\n').slice(0, 4)).toEqual([
      'architecture   parameters   at 32 px   activations',
      '                        M      GMACs             M',
      '──────────────────────────────────────────────────',
      'resnet18            11.69       0.04          0.05',
    ]);
    expect(table).toContain('The memory of training is left out: no adapter.');
  });

  test('for a GPU that is not here, with and without recomputation, in full and half precision', async () => {
    const target = assumedGpu(2 ** 31);
    const plan = async (precision: 'f32' | 'f16') => {
      const options = {
        recipe: { ...recipe, precision, batchSize: 512 },
        classes: 5,
        target,
        recompute: true,
      };
      const { training } = await surveyModel('resnet18', options);
      if (!training || !('bytes' in training)) throw new Error('nothing fits');
      return { whole: training.bytes, least: training.leastBytes ?? Number.NaN };
    };
    const [full, half] = [await plan('f32'), await plan('f16')];
    expect(half.whole).toBeLessThan(full.whole);
    for (const { whole, least } of [full, half]) expect(least).toBeLessThan(0.9 * whole);
  });

  test('with a device it plans, and runs where that is asked for', async () => {
    const model = await surveyModel('resnet10', { recipe, classes: 5, target: device, run: device });
    const { total } = planTrainingMemory(
      device,
      { ...recipe, model: { ...recipe.model, arch: 'resnet10' } },
      5,
    );
    expect(model.training).toEqual({ batchSize: 2, bytes: total });
    if (!model.trial || 'failure' in model.trial) throw new Error(model.trial?.failure ?? 'it did not run');
    const { scalars, stepMs, evaluationMs, bytes } = model.trial;
    expect(bytes).toBe(total);
    expect(scalars).toHaveLength(2);
    for (const { loss, gradientNorm } of scalars) {
      expect(loss).toBeGreaterThan(0);
      expect(gradientNorm).toBeGreaterThan(0);
    }
    expect(Math.min(stepMs, evaluationMs)).toBeGreaterThan(0);
    const table = formatModels([model], { size: [32, 32], batchSize: 2 });
    expect(table).toMatch(/resnet10 .* [\d.]+ (M|G)iB +[\d.]+ +[\d.]+$/m);
  });

  test('a network that does not fit is in the table with what fits', () => {
    const limit = 'stem needs 200 MiB at once';
    const row = { parameters: 1e6, multiplyAdds: 1e9, activations: 1e6 };
    const table = formatModels(
      [
        { ...row, arch: 'resnet18', training: { batchSize: 32, bytes: 2 ** 30 } },
        { ...row, arch: 'convnext_tiny', training: { batchSize: 7, bytes: 2 ** 31, limit } },
        { ...row, arch: 'convnext_base', training: { batchSize: 0, limit }, trial: { failure: 'too large' } },
      ],
      { size: [224, 320], batchSize: 32 },
    );
    expect(table).toMatch(/at 224×320/);
    expect(table).toMatch(/^resnet18 .* 1 GiB$/m);
    expect(table).toMatch(/^convnext_tiny .* batch 7: 2 GiB$/m);
    expect(table).toMatch(/^convnext_base .* – +failed +failed$/m);
    expect(table).toContain("32 do not fit: convnext_tiny's stem needs 200 MiB at once.");
    expect(table).toContain('convnext_base did not run: too large');
  });
});
