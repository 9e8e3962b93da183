import { stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { parameterCount } from '../../models/model.js';
import { type CheckpointAbout, networkOf, readCheckpoint } from '../../weights/checkpoint.js';
import { type ExaminedRun, type ExamineOptions, examineRun } from '../examine-run.js';

/** All that a model card tells, from the checkpoint and, where it lies in one, its run directory. */
export interface CardFacts {
  readonly name: string;
  readonly about: CheckpointAbout;
  readonly parameters: number;
  /** Whether the images were drawn by a program; null where neither run nor checkpoint says so. */
  readonly simulated: boolean | null;
  /** Null for a checkpoint without its run directory. */
  readonly run: ExaminedRun | null;
}

/**
 * @param path a checkpoint; the best one of a run directory is told of with its run
 * @throws CheckpointError; ReportError when a file of the run can't be understood
 */
export async function readCardFacts(path: string, options: ExamineOptions = {}): Promise<CardFacts> {
  const { tensors: _tensors, ...about } = await readCheckpoint(path);
  const folder = dirname(resolve(path));
  const isOfRun = basename(path) === 'best.safetensors' && (await exists(join(folder, 'recipe.yaml')));
  const run = isOfRun ? await examineRun(folder, options) : null;
  return {
    name: run?.record.name ?? basename(path).replace(/\.safetensors$/, ''),
    about,
    parameters: parameterCount(networkOf(about)),
    simulated: run?.simulated ?? about.simulated ?? null,
    run,
  };
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null;
}
