import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RunDirectory } from '../../../src/train/run/run-directory.js';
import type { RunListener } from '../../../src/train/run/run-event.js';
import { examineTrainingData, type TrainingData } from '../../../src/train/run/training-data.js';
import { type StagePace, secondsLeft } from '../../../src/train/trial/stage-pace.js';
import { temporaryFolder } from '../../data/temporary-folder.js';
import { tinyRecipe, writeTinyDataset } from '../run/tiny-run.js';
import { bytesOf, train } from '../run/tiny-training.js';

let folder: string;
let data: TrainingData;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailray-pace-'));
  data = await examineTrainingData(await writeTinyDataset(folder), tinyRecipe());
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the pace of a stage', () => {
  // a memory of scores, gradients that are added up, statistics, averages, a second stage: all that steps leave behind
  const recipe = tinyRecipe(
    'batchSize=2',
    'accumulate=2',
    'loss={sum: [{name: bce}, {name: smooth-ap, memory: 8}]}',
    'stages=[{schedule: {epochs: 2}}, {head: reset, schedule: {epochs: 1}}]',
  );

  test('is measured before each stage, in a fresh and in a resumed run, and changes no byte', async () => {
    const paces: (StagePace | undefined)[] = [];
    const listen: RunListener = (event) => {
      if (event.kind === 'ready') paces.push(event.pace);
    };
    const whole = await train(recipe, { data, listen });
    expect(paces).toEqual([undefined, undefined]);
    const measured = { data, listen, measurePace: true };
    const run = new RunDirectory(join(await temporaryFolder(), 'run'));
    await train(recipe, { ...measured, run, stopAfter: 5 });
    await train(recipe, { ...measured, run: new RunDirectory(run.path), resume: true });
    expect(await bytesOf(run)).toEqual(await bytesOf(whole.run));
    expect(paces).toHaveLength(5);
    for (const pace of paces.slice(2)) {
      expect(pace?.stepSeconds).toBeGreaterThan(0);
      expect(pace?.validationSeconds).toBeGreaterThan(0);
    }
  });

  test('tells how long what is left will take, with its validations', () => {
    const pace = { stepSeconds: 2, validationSeconds: 10 };
    const stage = {
      recipe: tinyRecipe('validation.every=2'),
      firstEpoch: 2,
      firstStep: 8,
      endEpoch: 7,
      stepsPerEpoch: 4,
    };
    // epochs 3 to 7, validated after 4, 6 and 7
    expect(secondsLeft(pace, stage, { step: 8, epochsClosed: 2 })).toBe(20 * 2 + 3 * 10);
    expect(secondsLeft(pace, stage, { step: 17, epochsClosed: 4 })).toBe(11 * 2 + 2 * 10);
    expect(secondsLeft({ ...pace, validationSeconds: null }, stage, { step: 27, epochsClosed: 6 })).toBe(2);
  });
});
