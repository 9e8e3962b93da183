import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Classifier } from '../../../src/predict/classifier.js';
import { type Kept, keptName, withEpoch } from '../../../src/train/run/kept-checkpoints.js';
import type { EpochLine } from '../../../src/train/run/metrics-line.js';
import { RunDirectory } from '../../../src/train/run/run-directory.js';
import type { RunListener } from '../../../src/train/run/run-event.js';
import { examineTrainingData, type TrainingData } from '../../../src/train/run/training-data.js';
import { averageCheckpoints } from '../../../src/weights/average-checkpoints.js';
import { readCheckpoint } from '../../../src/weights/checkpoint.js';
import { temporaryFolder } from '../../data/temporary-folder.js';
import { testDevice } from '../../device.js';
import { tinyRecipe, writeTinyDataset } from './tiny-run.js';
import { bytesOf, train } from './tiny-training.js';

let folder: string;
let data: TrainingData;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailray-saves-'));
  data = await examineTrainingData(await writeTinyDataset(folder), tinyRecipe());
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** As if the power failed when a step was submitted. */
function powerCutAt(wanted: number): RunListener {
  return (event) => {
    if (event.kind === 'step' && event.step === wanted) throw new Error('power cut');
  };
}

describe('checkpoint.minutes', () => {
  // 4 steps an epoch, saved at the ends of epochs 2 and 3
  const timed = tinyRecipe('checkpoint.every=2', 'checkpoint.minutes=10', 'logEvery=100');

  test('saves when so many minutes have passed, and the run goes on from there to the same bytes', async () => {
    let minutes = 0;
    const saves: number[] = [];
    const run = new RunDirectory(join(await temporaryFolder(), 'run'));
    const listen: RunListener = async (event) => {
      if (event.kind !== 'step') return;
      minutes += 4;
      const step = (await run.saved.about())?.progress.step;
      if (step !== undefined && saves.at(-1) !== step) saves.push(step);
      if (event.step === 11) throw new Error('power cut');
    };
    const clock = () => minutes * 60_000;
    await expect(train(timed, { data, run, listen, clock })).rejects.toThrow('power cut');
    // 12 minutes after the start, and after each save, that of the epoch's end included
    expect(saves).toEqual([3, 6, 8]);
    expect((await run.saved.about())?.progress.step).toBe(8);
    const again = new RunDirectory(run.path);
    await expect(
      train(timed, { data, run: again, resume: true, clock, listen: powerCutAt(12) }),
    ).rejects.toThrow('power cut');
    const last = await train(timed, { data, run: new RunDirectory(run.path), resume: true });
    const whole = await train(timed, { data });
    expect(await bytesOf(last.run)).toEqual(await bytesOf(whole.run));
  });

  test('saves in the middle of an epoch alone', async () => {
    let minutes = 0;
    const run = new RunDirectory(join(await temporaryFolder(), 'run'));
    const listen: RunListener = (event) => {
      if (event.kind === 'step') minutes += 11;
      if (event.kind === 'step' && event.step === 7) throw new Error('power cut');
    };
    await expect(train(timed, { data, run, listen, clock: () => minutes * 60_000 })).rejects.toThrow();
    expect((await run.saved.about())?.progress).toMatchObject({ step: 6, epochsClosed: 1 });
    const { run: resumed } = await train(timed, { data, run: new RunDirectory(run.path), resume: true });
    const whole = await train(timed, { data });
    expect(await bytesOf(resumed)).toEqual(await bytesOf(whole.run));
  });
});

test('resumed where another number of workgroups was measured, it keeps to the first', async ({ skip }) => {
  const device = await testDevice();
  skip(
    device.traits.adapter === 'swiftshader',
    "SwiftShader's compiler takes minutes for the kernels of GPUs",
  );
  const recipe = tinyRecipe('schedule.epochs=2');
  const { kind, residentGroups } = device.traits;
  try {
    device.assume({ kind: 'gpu', residentGroups: 64 });
    const whole = await train(recipe, { data });
    const run = new RunDirectory(join(await temporaryFolder(), 'run'));
    await expect(train(recipe, { data, run, listen: powerCutAt(6) })).rejects.toThrow('power cut');
    expect((await run.saved.about())?.residentGroups).toBe(64);
    device.assume({ residentGroups: 4 });
    const { run: resumed } = await train(recipe, { data, run: new RunDirectory(run.path), resume: true });
    expect(await bytesOf(resumed)).toEqual(await bytesOf(whole.run));
  } finally {
    device.assume({ kind, residentGroups });
  }
});

describe('checkpoint.keep', () => {
  const keeping = tinyRecipe('checkpoint.keep=2', 'schedule.epochs=5', 'checkpoint.every=2');

  test('keeps the weights of the best epochs, whole, and says which', async () => {
    const lines: EpochLine[] = [];
    const listen: RunListener = (event) => {
      if (event.kind === 'epoch') lines.push(event.line);
    };
    const { run, summary } = await train(keeping, { data, listen });
    const ranked = lines
      .map(({ epoch, validation }) => ({ epoch, mAP: validation?.mAP ?? null }))
      .sort((a, b) => (b.mAP ?? 0) - (a.mAP ?? 0) || a.epoch - b.epoch)
      .slice(0, 2);
    expect(summary.kept).toEqual(ranked.map((epoch) => ({ ...epoch, file: `kept/${keptName(epoch)}` })));
    expect((await readdir(run.keptFolder)).sort()).toEqual(ranked.map(keptName).sort());
    expect(summary.best?.epoch).toBe(ranked[0]?.epoch);
    const files = ranked.map((epoch) => join(run.keptFolder, keptName(epoch)));
    const [first] = await Promise.all(files.map(readCheckpoint));
    expect(first).toEqual(await readCheckpoint(run.best));
    // as any other checkpoint
    const mean = await averageCheckpoints(files);
    expect(mean.averaged).toEqual(files.map((file) => `kept/${file.split('/').at(-1)}`));
    const classifier = await Classifier.load(await testDevice(), mean, { path: 'mean', batchSize: 4 });
    expect(classifier.classes).toBe(2);
    classifier.destroy();
  });

  test('killed at any step and resumed, it ends with the same files', async () => {
    const { run: sound } = await train(keeping, { data });
    const whole = await bytesOf(sound);
    for (const step of [5, 13, 18]) {
      const run = new RunDirectory(join(await temporaryFolder(), 'run'));
      await expect(train(keeping, { data, run, listen: powerCutAt(step) })).rejects.toThrow('power cut');
      // what the state names is there
      const { kept = [] } = (await run.saved.about())?.progress ?? {};
      expect(await readdir(run.keptFolder)).toEqual(expect.arrayContaining(kept.map(keptName)));
      await train(keeping, { data, run: new RunDirectory(run.path), resume: true });
      expect(await bytesOf(run)).toEqual(whole);
    }
  });

  test('killed between the weights, the log and the state, it ends with the same files', async () => {
    const whole = await bytesOf((await train(keeping, { data })).run);
    for (const wanted of [3, 4]) {
      const run = new RunDirectory(join(await temporaryFolder(), 'run'));
      const listen: RunListener = (event) => {
        if (event.kind === 'epoch' && event.line.epoch === wanted) throw new Error('power cut');
      };
      await expect(train(keeping, { data, run, listen })).rejects.toThrow('power cut');
      await train(keeping, { data, run: new RunDirectory(run.path), resume: true });
      expect(await bytesOf(run)).toEqual(whole);
    }
  });

  test('ranks as the best weights are chosen', () => {
    const of = (...mAPs: (number | null)[]) =>
      mAPs.reduce<Kept>((kept, mAP, i) => withEpoch(kept, { epoch: i + 1, mAP }, 3) ?? kept, []);
    const epochs = (kept: Kept) => kept.map(({ epoch }) => epoch);
    expect(epochs(of(0.1, 0.4, 0.2, 0.3))).toEqual([2, 4, 3]);
    expect(epochs(of(0.4, 0.4, 0.4, 0.4))).toEqual([1, 2, 3]);
    expect(epochs(of(null, null, null, null))).toEqual([4, 3, 2]);
    expect(epochs(of(null, 0.1, null, 0.2))).toEqual([4, 2, 3]);
    // an epoch that comes again after a rollback: one file, the better weights
    expect(withEpoch(of(0.1, 0.4), { epoch: 2, mAP: 0.3 }, 3)).toBeNull();
    expect(withEpoch(of(0.1, 0.4), { epoch: 1, mAP: 0.5 }, 3)).toEqual([
      { epoch: 1, mAP: 0.5 },
      { epoch: 2, mAP: 0.4 },
    ]);
  });
});
