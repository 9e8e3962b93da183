import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readSafetensors } from '../../../src/models/safetensors/safetensors.js';
import { RunDirectory } from '../../../src/train/run/run-directory.js';
import { trainRun } from '../../../src/train/run/train-run.js';
import { examineTrainingData, type TrainingData } from '../../../src/train/run/training-data.js';
import { temporaryFolder } from '../../data/temporary-folder.js';
import { testDevice } from '../../device.js';
import { prepared, tinyRecipe, writeTinyDataset } from './tiny-run.js';

async function tinyData(): Promise<TrainingData> {
  return examineTrainingData(await writeTinyDataset(await temporaryFolder()), tinyRecipe());
}

/** Epochs of 4 steps, two of them. */
async function train(loss: string, stops: readonly number[] = []) {
  const recipe = tinyRecipe('logEvery=1', 'schedule.epochs=2', `loss=${loss}`);
  const data = await tinyData();
  const run = new RunDirectory(join(await temporaryFolder(), 'run'));
  const device = await testDevice();
  for (const [i, stopAfter] of [...stops, undefined].entries()) {
    await trainRun(prepared({ recipe, data, run, resume: i > 0 }), {
      device,
      ...(stopAfter !== undefined && { stopAfter }),
    });
  }
  const lines = (await readFile(run.metrics.path, 'utf8')).trim().split('\n');
  const losses = lines
    .map((line) => JSON.parse(line) as { kind: string; loss: number })
    .filter(({ kind }) => kind === 'step')
    .map((line) => line.loss);
  return { run, losses };
}

async function savedFiles({ path }: RunDirectory): Promise<Record<string, Buffer>> {
  const folder = join(path, 'last');
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.includes('.')).sort();
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name))])),
  );
}

const SUM = '{sum: [{name: asl}, {name: smooth-ap, weight: 0.5, memory: 6}]}';

describe('a training with a sum of losses', () => {
  test('stopped and resumed, its memory goes on, and it gives the same bytes', async () => {
    const whole = await train(SUM);
    expect(whole.losses).toHaveLength(8);
    expect(whole.losses.every((loss) => Number.isFinite(loss) && loss > 0)).toBe(true);
    const resumed = await train(SUM, [5]);
    const saved = await savedFiles(whole.run);
    expect(await savedFiles(resumed.run)).toEqual(saved);

    // a class's last six known scores; more than a batch of four has
    const [file] = Object.entries(saved).filter(([name]) => /loss/.test(name));
    expect(file, Object.keys(saved).join()).toBeDefined();
    const memory = readSafetensors(file![1]).tensors.get('1.memory')!;
    expect(memory.shape).toEqual([14, 2]);
    const rows = Array.from({ length: 14 }, (_, i) => [...memory.data.subarray(2 * i, 2 * i + 2)]);
    expect(rows[12]).toEqual([6, 6]);
    expect(new Set(rows.slice(6, 12).flat())).toEqual(new Set([0, 1]));
  });

  test('the memory is what the first step lacks and later ones have', async () => {
    const { losses } = await train(SUM);
    const without = await train(SUM.replace(', memory: 6', ''));
    expect(losses[0]).toBe(without.losses[0]);
    expect(losses[1]).not.toBe(without.losses[1]);
  });
});

test('stages may differ in their losses, each with a memory of its own', async () => {
  const recipe = tinyRecipe(
    'schedule.epochs=1',
    `loss=${SUM}`,
    'stages=[{}, {loss: {name: auc-margin, memory: 3}}, {loss: {sum: [{name: bce}]}}]',
  );
  const run = new RunDirectory(join(await temporaryFolder(), 'run'));
  const summary = await trainRun(prepared({ recipe, data: await tinyData(), run }), {
    device: await testDevice(),
  });
  expect(summary).toMatchObject({ status: 'finished', steps: 12 });
});
