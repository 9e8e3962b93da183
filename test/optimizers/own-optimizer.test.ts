import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineOptimizer } from '../../src/optimizers/define/define-optimizer.js';
import { OptimizerError } from '../../src/optimizers/define/optimizer-error.js';
import { registerOptimizer } from '../../src/optimizers/registry.js';
import { RecipeError } from '../../src/recipe/recipe-error.js';
import { RunDirectory } from '../../src/train/run/run-directory.js';
import { trainRun } from '../../src/train/run/train-run.js';
import { examineTrainingData } from '../../src/train/run/training-data.js';
import { temporaryFolder } from '../data/temporary-folder.js';
import { testDevice } from '../device.js';
import { prepared, tinyRecipe, writeTinyDataset } from '../train/run/tiny-run.js';

/** Steps of one length, along the signs of a running mean of the gradients (after Bernstein et al. 2018, Signum). */
const signum = defineOptimizer({
  name: 'signum',
  summary: 'signs of a running mean',
  source: 'Bernstein et al. 2018, arXiv 1802.04434',
  parameters: z.strictObject({ memory: z.number().min(0).lt(1).default(0.9) }),
  state: ['runningMean'],
  hyper: {
    names: ['learningRate', 'keep'],
    values: ({ memory }, { learningRate }) => ({ learningRate, keep: memory }),
  },
  wgsl: () => `
    let mean = keep * runningMean[i] + (1.0 - keep) * gradient;
    runningMean[i] = mean;
    let updated = params[i] * (1.0 - learningRate * rate * decay) - learningRate * rate * sign(mean);`,
  flops: () => 8,
});

test('an optimizer of one’s own is one definition: recipes know it, it trains, is saved and resumed', async () => {
  expect(() => tinyRecipe('optimizer={name: signum}')).toThrow(/no optimizer "signum"; there are adamw, sgd/);
  registerOptimizer(signum);
  expect(() => registerOptimizer(signum)).toThrow(OptimizerError);

  const changes = (optimizer: string) => () => tinyRecipe(`optimizer=${optimizer}`);
  expect(changes('{name: signum, memroy: 0}')).toThrow(/did you mean "memory"/);
  expect(changes('{name: signum, memory: 1}')).toThrow(
    /--set optimizer=.*: optimizer\.memory: .*expected number to be <1/,
  );
  expect(changes('{name: signum, betas: [0, 0]}')).toThrow(RecipeError);
  const recipe = tinyRecipe('optimizer={name: signum, lr: 0.001}', 'schedule.epochs=2');
  expect(recipe.optimizer).toMatchObject({ name: 'signum', memory: 0.9, clipNorm: 1 });

  const device = await testDevice();
  const data = await examineTrainingData(await writeTinyDataset(await temporaryFolder()), recipe);
  const summaries: unknown[] = [];
  for (const stopAfter of [undefined, 3]) {
    const run = new RunDirectory(join(await temporaryFolder(), 'run'));
    let summary = await trainRun(prepared({ recipe, data, run }), { device, stopAfter });
    if (stopAfter !== undefined) {
      expect((await readdir(join(run.path, 'last', 'step-3'))).sort()).toEqual(
        ['average', 'averageStats', 'params', 'runningMean', 'stats'].map((name) => `${name}.safetensors`),
      );
      summary = await trainRun(prepared({ recipe, data, run, resume: true }), { device });
    }
    expect(summary.status).toBe('finished');
    summaries.push(summary);
  }
  expect(summaries[1]).toEqual(summaries[0]);
});

test('its state must not be called as an arena of every training', async () => {
  registerOptimizer(
    defineOptimizer({
      ...signum,
      name: 'clashing',
      parameters: z.strictObject({}),
      state: ['stats'],
      hyper: { names: [], values: () => ({}) },
      wgsl: () => 'let updated = params[i];',
      flops: () => 0,
    }),
  );
  const recipe = tinyRecipe('optimizer={name: clashing}');
  const data = await examineTrainingData(await writeTinyDataset(await temporaryFolder()), recipe);
  const run = new RunDirectory(join(await temporaryFolder(), 'run'));
  await expect(trainRun(prepared({ recipe, data, run }), { device: await testDevice() })).rejects.toThrow(
    /optimizer "clashing": its state may not be called stats/,
  );
});
