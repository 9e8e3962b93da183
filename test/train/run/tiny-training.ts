import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Recipe } from '../../../src/recipe/recipe-schema.js';
import { RunDirectory } from '../../../src/train/run/run-directory.js';
import type { RunListener } from '../../../src/train/run/run-event.js';
import type { SessionOptions } from '../../../src/train/run/session.js';
import { trainRun } from '../../../src/train/run/train-run.js';
import type { TrainingData } from '../../../src/train/run/training-data.js';
import { temporaryFolder } from '../../data/temporary-folder.js';
import { testDevice } from '../../device.js';
import { prepared } from './tiny-run.js';

export interface TrainOptions extends Partial<SessionOptions> {
  data: TrainingData;
  run?: RunDirectory;
  resume?: boolean;
  listen?: RunListener;
}

/** Trains in a folder of its own, or goes on in `run`. */
export async function train(recipe: Recipe, { data, resume, listen, ...options }: TrainOptions) {
  const run = options.run ?? new RunDirectory(join(await temporaryFolder(), 'run'));
  const summary = await trainRun(prepared({ recipe, data, run, resume }), {
    device: await testDevice(),
    ...(listen && { listeners: [listen] }),
    ...options,
  });
  return { run, summary };
}

/** Puts the notes of a run into a list. */
export function notesInto(notes: string[]): RunListener {
  return (event) => {
    if (event.kind === 'note') notes.push(event.note);
  };
}

/** Every file that must not depend on when or in how many sessions it was made. */
export async function bytesOf(run: RunDirectory): Promise<Record<string, string>> {
  const filesIn = async (folder: string) =>
    (await readdir(join(run.path, folder), { recursive: true }).catch(() => []))
      .filter((name) => name.includes('.'))
      .map((name) => join(folder, name))
      .sort();
  const names = [
    'best.safetensors',
    'predictions.csv',
    ...(await filesIn('kept')),
    ...(await filesIn('last')),
  ];
  const contents = await Promise.all(names.map((name) => readFile(join(run.path, name), 'base64')));
  return Object.fromEntries(names.map((name, i) => [name, contents[i] ?? '']));
}
