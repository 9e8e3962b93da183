import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { RunDirectory } from '../../../src/train/run/run-directory.js';
import { trainRun } from '../../../src/train/run/train-run.js';
import { examineTrainingData } from '../../../src/train/run/training-data.js';
import { temporaryFolder } from '../../data/temporary-folder.js';
import { testDevice } from '../../device.js';
import { prepared, tinyRecipe, writeTinyDataset } from './tiny-run.js';

/** Epochs of 4 steps, three of them; a line of metrics.jsonl for each step. */
async function lossesOfSteps(...overrides: string[]): Promise<number[]> {
  const recipe = tinyRecipe('logEvery=1', ...overrides);
  const data = await examineTrainingData(await writeTinyDataset(await temporaryFolder()), recipe);
  const run = new RunDirectory(join(await temporaryFolder(), 'run'));
  await trainRun(prepared({ recipe, data, run }), { device: await testDevice() });
  const lines = (await readFile(run.metrics.path, 'utf8')).trim().split('\n');
  return lines
    .map((line) => JSON.parse(line) as { kind: string; loss: number })
    .filter(({ kind }) => kind === 'step')
    .map(({ loss }) => loss);
}

test('deferred re-weighting begins at its share of the steps, and not before', async () => {
  const plain = await lossesOfSteps('loss.name=ldam');
  const deferred = await lossesOfSteps('loss.name=ldam-drw', 'loss.reweightFrom=0.5', 'loss.beta=0.99');
  expect(deferred).toHaveLength(12);
  expect(deferred.slice(0, 6)).toEqual(plain.slice(0, 6));
  expect(deferred[6]).not.toBe(plain[6]);
});

test('labels are corrected once so many epochs are complete', async () => {
  const never = await lossesOfSteps('loss.name=splc', 'loss.changeEpoch=99', 'loss.tau=0.01');
  const after = await lossesOfSteps('loss.name=splc', 'loss.changeEpoch=2', 'loss.tau=0.01');
  expect(after.slice(0, 8)).toEqual(never.slice(0, 8));
  expect(after[8]).not.toBe(never[8]);
});
