import { lstat, readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { StorageError, writeFailure } from '../storage/atomic-file.js';
import { LOCK, LOSS_COPY, NAMES, RunDirectory } from './run/run-directory.js';
import { RunDirectoryError } from './run/run-directory-error.js';

/**
 * The files of a run, told from others that a person put beside them, and their removal. A link is nobody's of the run: it
 * may lead to files that others use.
 */
export interface RunFiles {
  /** Paths from the run's folder. */
  readonly own: readonly string[];
  /** Of the own files. */
  readonly bytes: number;
  /** Files, links and whole folders, these with a slash at the end. */
  readonly foreign: readonly string[];
}

/** @throws StorageError where the folder can't be read */
export async function runFiles(path: string): Promise<RunFiles> {
  const own: string[] = [];
  const foreign: string[] = [];
  let bytes = 0;
  const walk = async (folder: string): Promise<void> => {
    for (const entry of await readdir(join(path, folder), { withFileTypes: true })) {
      const name = `${folder}${entry.name}`;
      if (name === LOCK) continue;
      if (entry.isDirectory()) {
        if (isOwnFolder(name)) await walk(`${name}/`);
        else foreign.push(`${name}/`);
      } else if (
        entry.isFile() &&
        OWN_FILES.some((pattern) => pattern.test(name.replace(/\.partial$/, '')))
      ) {
        own.push(name);
        bytes += (await lstat(join(path, name))).size;
      } else foreign.push(name);
    }
  };
  try {
    await walk('');
  } catch (error) {
    throw new StorageError(`${path} can't be read: ${writeFailure(error)}.`, { cause: error });
  }
  return { own, bytes, foreign };
}

/** Names without an extension are folders; what lies in them is written by SavedState, kept-checkpoints.ts and TensorboardLog. */
const OWN_FOLDERS = [
  new RegExp(`^(?:${[NAMES.last, NAMES.kept, NAMES.tensorboard].join('|')})$`),
  new RegExp(`^${NAMES.last}/step-\\d+(?:-stage-\\d+)?$`),
];
const OWN_FILES = [
  new RegExp(
    `^(?:${Object.values(NAMES)
      .filter((name) => name.includes('.'))
      .join('|')
      .replaceAll('.', '\\.')})$`,
  ),
  LOSS_COPY,
  new RegExp(`^${NAMES.last}/state\\.json$`),
  new RegExp(`^${NAMES.last}/step-\\d+(?:-stage-\\d+)?/\\w+\\.safetensors$`),
  new RegExp(`^${NAMES.kept}/epoch-\\d+\\.safetensors$`),
  new RegExp(`^${NAMES.tensorboard}/events\\.out\\.tfevents\\.[^/]+$`),
];

/** Written by training alone: a folder with a recipe.yaml and, say, a loss.ts may be a person's. */
const TRAINED: readonly string[] = [NAMES.metrics, NAMES.summary, NAMES.best, NAMES.last];

/**
 * Refuses what may not be removed as a run: a run has the recipe that it began with and something that training wrote.
 * @throws RunDirectoryError for anything else, and for a run that is being written
 */
export async function requireRemovable(path: string): Promise<void> {
  const kind = await lstat(path).catch(() => null);
  if (kind?.isSymbolicLink()) {
    throw new RunDirectoryError(`${path} is a link: name the folder that it leads to.`);
  }
  if (!kind?.isDirectory()) {
    throw new RunDirectoryError(`${path}: there is no such folder.`);
  }
  const run = new RunDirectory(path);
  const traces = await run.traces();
  if (!traces.includes(NAMES.recipe) || !traces.some((name) => TRAINED.includes(name))) {
    const found = traces.length === 0 ? 'nothing of a run' : `only ${traces.join(', ')} of a run`;
    throw new RunDirectoryError(`${path} holds ${found}: it may be no run, and is left alone.`);
  }
  const writer = await run.writer();
  if (writer !== null) {
    throw new RunDirectoryError(`${path} is being written by ${writer}: stop it first.`);
  }
}

/**
 * Removes a run's own files, and its folder where nothing else lies there. The recipe goes last: a removal that was cut off
 * leaves a run that can be removed.
 * @throws RunDirectoryError as `requireRemovable`; StorageError
 */
export async function removeRun(path: string): Promise<RunFiles> {
  await requireRemovable(path);
  const release = await new RunDirectory(path).lock();
  try {
    const files = await runFiles(path);
    for (const name of files.own.filter((each) => each !== NAMES.recipe))
      await rm(join(path, name), { force: true });
    await removeEmptyFolders(path);
    await rm(join(path, NAMES.recipe), { force: true });
    return files;
  } catch (error) {
    throw new StorageError(`${path} can't be removed as a whole: ${writeFailure(error)}.`, { cause: error });
  } finally {
    await release();
    await rmdir(path).catch(() => undefined);
  }
}

/** The run's own folders, where they are empty now. */
async function removeEmptyFolders(path: string): Promise<void> {
  for (const folder of [NAMES.last, NAMES.kept, NAMES.tensorboard]) {
    const inside = await readdir(join(path, folder)).catch(() => []);
    for (const name of [...inside.map((each) => `${folder}/${each}`), folder].filter(isOwnFolder)) {
      await rmdir(join(path, name)).catch(() => undefined);
    }
  }
}

function isOwnFolder(name: string): boolean {
  return OWN_FOLDERS.some((pattern) => pattern.test(name));
}
