import { join } from 'node:path';
import { expect, test } from 'vitest';
import { resolveRecipe } from '../../src/recipe/recipe.js';
import type { Recipe } from '../../src/recipe/recipe-schema.js';
import { stageRecipes } from '../../src/recipe/recipe-stages.js';
import { prepareRun } from '../../src/train/run/prepare-run.js';
import { planRun } from '../../src/train/run/run-plan.js';
import { groupParameters } from '../../src/train/step/parameter-groups.js';
import { modelToPlan } from '../../src/train/step/trainer.js';
import { temporaryFolder } from '../data/temporary-folder.js';

const RECIPE = 'recipes/cxrlt2026-task1.yaml';

test('the winning recipe of Task 1 says what to train at which rate, stage by stage', async () => {
  const { recipe } = await resolveRecipe(RECIPE);
  const stages = stageRecipes(recipe);
  expect(recipe.stages?.map(({ name, start, head }) => [name, start, head])).toEqual([
    ['pretrain-head', 'last', 'keep'],
    ['pretrain', 'last', 'keep'],
    ['head', 'best', 'reset'],
    ['finetune', 'last', 'keep'],
  ]);
  const rates = stages.map((stage) => {
    const { lr, weightDecay, groups } = stage.optimizer;
    if (Array.isArray(groups)) throw new Error('groups are by part');
    const rate = (group: typeof groups.backbone) => {
      if (typeof group === 'number') return [lr * group, weightDecay];
      return group.freeze ? 'frozen' : [Number((lr * group.lrScale).toPrecision(12)), group.weightDecay];
    };
    return [rate(groups.backbone), rate(groups.head)];
  });
  expect(rates).toEqual([
    ['frozen', [1e-3, 0.01]],
    [
      [1e-5, 0.01],
      [1e-4, 0.01],
    ],
    ['frozen', [1e-3, 0.01]],
    [
      [1.5e-5, 0.01],
      [1.5e-4, 0.05],
    ],
  ]);
  expect(stages.map(({ model, loss, sampler }) => [model.head.name, loss.name, sampler.name])).toEqual([
    ['linear', 'logit-adjusted-asl', 'shuffled'],
    ['linear', 'logit-adjusted-asl', 'shuffled'],
    ['csra', 'db-margin', 'repeat-factor'],
    ['csra', 'db-margin', 'repeat-factor'],
  ]);
  expect(stages.map(({ schedule: { epochs, kind, by } }) => [epochs, kind, by])).toEqual([
    [3, 'constant', 'epoch'],
    [10, 'clipped-cosine', 'epoch'],
    [10, 'constant', 'epoch'],
    [60, 'clipped-cosine', 'epoch'],
  ]);
  expect(stages.map(({ ema }) => ema !== false)).toEqual([false, true, false, true]);
  for (const { model, preprocessing, augment, optimizer, batchSize, accumulate } of stages) {
    expect(preprocessing).toMatchObject({
      size: [512, 512],
      channels: 3,
      bits: 8,
      mean: [0.485, 0.456, 0.406],
    });
    expect(augment).toMatchObject({
      flip: { p: 0.5 },
      affine: { p: 0.4, shift: 0.03, scale: 0.05, rotate: 7 },
      clahe: { p: 0.2, clip: 2, tiles: 8 },
      brightnessContrast: { p: 0.2, brightness: 0.08, contrast: 0.08 },
      noise: { p: 0.15, variance: [1, 5] },
      dropout: { p: 0.15, holes: 6, side: 24 / 512 },
    });
    expect(model.dropPathRate).toBe(0.2);
    expect(optimizer).toMatchObject({ eps: 1e-5, clipNorm: 1, decayNormsAndBiases: true });
    expect(batchSize * accumulate).toBe(256);
  }
});

test('its network is there: the batch norm is the head’s, and everything decays', async () => {
  const { recipe } = await resolveRecipe(RECIPE);
  const last = stageRecipes(recipe).at(-1) as Recipe;
  const { trained, frozen } = groupParameters(modelToPlan(last, 30), last.optimizer);
  expect(frozen).toEqual([]);
  const head = trained.filter(({ group }) => group === 'head').map(({ name }) => name);
  expect(head).toContain('bn.weight');
  expect(head).not.toContain('head.norm.weight');
});

test('plans, and asks for the paths that are open before anything is downloaded', async () => {
  const cache = await temporaryFolder();
  const plan = (...set: string[]) => planRun({ recipe: RECIPE, out: join(cache, 'run'), set });
  await expect(prepareRun(await plan(), { cache })).rejects.toThrow(
    [
      'paths of yours are still missing; put them into the recipe:',
      'stages.0.data.path: <label table of MIMIC-CXR> (or say --set stages.0.data.path=PATH)',
      'stages.1.data.path: <label table of MIMIC-CXR> (or say --set stages.1.data.path=PATH)',
      'data.path: <label table of the challenge’s training images> (or say --data PATH)',
    ].join('\n  '),
  );
  await expect(prepareRun(await plan('data.path=train.csv'), { cache })).rejects.toThrow(
    /missing; put them into the recipe:\n {2}stages\.0\.data\.path/,
  );
});
