import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runLoop } from '../../../src/train/run/loop.js';
import type { StepLine } from '../../../src/train/run/metrics-line.js';
import { RunDirectory } from '../../../src/train/run/run-directory.js';
import { Session } from '../../../src/train/run/session.js';
import { examineTrainingData, type TrainingData } from '../../../src/train/run/training-data.js';
import type { StepRunner } from '../../../src/train/step/paced-step.js';
import { temporaryFolder } from '../../data/temporary-folder.js';
import { testDevice } from '../../device.js';
import { prepared, tinyRecipe, writeTinyDataset } from './tiny-run.js';

let folder: string;
let data: TrainingData;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailray-late-'));
  data = await examineTrainingData(await writeTinyDataset(folder), tinyRecipe());
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('scalars that are read so many steps later', () => {
  // logged every 3 steps of epochs of 4: blocks of steps end within an epoch and at its end
  const recipe = tinyRecipe('logEvery=3', 'validation.every=3');

  /** All that the loop tells of losses, with a runner that is `ahead`. @param explodesAt a step (from 0) whose rate is absurd */
  async function told(ahead: number, explodesAt = Number.POSITIVE_INFINITY) {
    const run = new RunDirectory(join(await temporaryFolder(), 'run'));
    await mkdir(run.path);
    const plan = prepared({ recipe, data, run });
    const session = await Session.open(plan, { device: await testDevice() }, undefined);
    const { trainer, stage } = session;
    await session.initialise();
    trainer.step.changeRate((scheduled, step) => (step === explodesAt ? 1e30 : scheduled));
    const asked: [submitted: number, steps: number][] = [];
    let submitted = 0;
    const step: StepRunner = {
      ahead,
      async submit(batch, number) {
        trainer.step.run(batch, number);
        submitted++;
      },
      scalars(steps) {
        asked.push([submitted, steps]);
        return trainer.step.scalars(steps);
      },
    };
    const lines: StepLine[] = [];
    const losses: number[] = [];
    const saved: unknown[] = [];
    const end = await runLoop({
      recipe,
      run,
      stage,
      trainer,
      step,
      progress: session.start,
      save: async (progress) => void saved.push(progress.step),
      announce: async (event) => {
        if (event.kind === 'losses') {
          lines.push(...event.lines);
          losses.push(event.loss);
        }
        if (event.kind === 'epoch') losses.push(event.line.loss ?? Number.NaN);
      },
    });
    session.close();
    return { asked, told: { lines, losses, saved, status: end.status, divergence: end.divergence } };
  }

  test('are the same, in the same blocks, and never those of a step in flight', async () => {
    const atOnce = await told(0);
    expect(atOnce.told.status).toBe('finished');
    expect(atOnce.told.lines.map(({ step }) => step)).toEqual([3, 6, 9, 12]);
    for (const ahead of [1, 2, 5]) {
      const late = await told(ahead);
      expect(late.told).toEqual(atOnce.told);
      // at an epoch's end all are read; before it, only those that are known to be done
      let read = 0;
      for (const [submitted, steps] of late.asked) {
        read += steps;
        if (submitted % 4 !== 0) expect(read).toBeLessThanOrEqual(submitted - ahead);
      }
      expect(read).toBe(12);
    }
  });

  test('tell of the same divergence, with the same lines up to it', async () => {
    const atOnce = await told(0, 4);
    expect(atOnce.told).toMatchObject({ status: 'diverged', divergence: { step: 6 } });
    for (const ahead of [1, 2, 5]) expect((await told(ahead, 4)).told).toEqual(atOnce.told);
  });
});
