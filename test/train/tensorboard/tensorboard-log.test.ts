import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { RunEvent } from '../../../src/train/run/run-event.js';
import { TensorboardLog } from '../../../src/train/tensorboard/tensorboard-log.js';
import { temporaryFolder } from '../../data/temporary-folder.js';
import { readGolden } from '../../golden/golden-files.js';

const golden = readGolden<{ wallTime: number; file: string }>('tensorboard.json');

/** Parts of events that the log does not look at are left out. */
const ready = (step: number) => ({ kind: 'ready', progress: { step }, stage: {} }) as unknown as RunEvent;
const losses = (...lines: object[]) => ({ kind: 'losses', step: 0, loss: 0, lines }) as unknown as RunEvent;

const EVENTS: readonly RunEvent[] = [
  { kind: 'note', note: 'resumed' },
  ready(40),
  losses(
    { kind: 'step', step: 50, epoch: 3, loss: 0.75, gradientNorm: 1.5, learningRate: 0.001 },
    {
      kind: 'step',
      step: 60,
      epoch: 3,
      loss: 0.5,
      gradientNorm: null,
      learningRate: 0.0005,
      lossScale: 65536,
    },
  ),
  // the next stage
  ready(60),
  {
    kind: 'epoch',
    line: {
      kind: 'epoch',
      epoch: 3,
      step: 60,
      loss: 0.625,
      validation: { mAP: 0.25, auroc: 0.7, f1: null },
      best: true,
      seconds: 12.5,
    },
  },
];

describe('curves for TensorBoard', () => {
  test('are written as TensorBoard itself writes them, byte for byte', async () => {
    const folder = join(await temporaryFolder(), 'tensorboard');
    const log = new TensorboardLog(folder, () => golden.wallTime);
    for (const event of EVENTS) await log.listen(event);
    const files = await readdir(folder);
    expect(files).toEqual([expect.stringMatching(/^events\.out\.tfevents\.1700000000\./)]);
    expect((await readFile(join(folder, files[0]!))).toString('base64')).toBe(golden.file);
  });

  test('nothing is written before the run is ready', async () => {
    const folder = await temporaryFolder();
    await new TensorboardLog(join(folder, 'tensorboard')).listen({ kind: 'note', note: 'a' });
    expect(await readdir(folder)).toEqual([]);
  });
});
