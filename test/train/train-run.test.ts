import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readCheckpoint } from '../../src/train/checkpoint.js';
import { readPredictions } from '../../src/train/predictions.js';
import type { Recipe } from '../../src/train/recipe-schema.js';
import { RunDirectory } from '../../src/train/run-directory.js';
import { type TrainRunOptions, trainRun } from '../../src/train/train-run.js';
import { examineTrainingData, type TrainingData } from '../../src/train/training-data.js';
import { temporaryFolder } from '../data/temporary-folder.js';
import { testDevice } from '../device.js';
import { tinyRecipe, writeTinyDataset } from './tiny-run.js';

async function tinyData(recipe: Recipe): Promise<TrainingData> {
  return examineTrainingData(await writeTinyDataset(await temporaryFolder()), recipe);
}

async function train(recipe: Recipe, options: Partial<TrainRunOptions> & { data: TrainingData }) {
  const run = options.run ?? new RunDirectory(join(await temporaryFolder(), 'run'));
  const summary = await trainRun({ device: await testDevice(), recipe, run, ...options });
  return { run, summary };
}

/** Every file that must not depend on when or in how many sessions it was made. */
async function bytesOf(run: RunDirectory): Promise<Record<string, string>> {
  const last = (await readdir(join(run.path, 'last'), { recursive: true })).filter((name) =>
    name.includes('.'),
  );
  const names = ['best.safetensors', 'predictions.csv', ...last.map((name) => join('last', name)).sort()];
  const contents = await Promise.all(names.map((name) => readFile(join(run.path, name), 'base64')));
  return Object.fromEntries(names.map((name, i) => [name, contents[i] ?? '']));
}

describe('a run', () => {
  test('leaves what it promises', async () => {
    const recipe = tinyRecipe();
    const data = await tinyData(recipe);
    const { run, summary } = await train(recipe, { data });
    expect((await readdir(run.path)).sort()).toEqual([
      'best.safetensors',
      'last',
      'metrics.jsonl',
      'predictions.csv',
      'recipe.yaml',
      'summary.json',
    ]);
    expect(summary).toMatchObject({ status: 'finished', epochs: 3, steps: 12 });
    expect(JSON.parse(await readFile(join(run.path, 'summary.json'), 'utf8'))).toEqual(summary);
    const checkpoint = await readCheckpoint(run.best);
    expect(checkpoint.classes).toEqual(['bright', 'striped']);
    expect(checkpoint.metrics.mAP).toBe(summary.best?.mAP);
    expect(summary.validation?.mAP).toBe(summary.best?.mAP);
    expect(await run.recipe()).toEqual(recipe);
    const predictions = await readPredictions(run.predictions);
    expect(predictions.rows).toHaveLength(data.validation?.all.length ?? -1);
    const lines = await run.metrics.read();
    expect(lines.filter(({ kind }) => kind === 'step').map(({ step }) => step)).toEqual([2, 4, 6, 8, 10, 12]);
    expect(lines.filter(({ kind }) => kind === 'epoch')).toHaveLength(3);
  });
});
