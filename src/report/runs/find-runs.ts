import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { NAMES, RunDirectory } from '../../train/run/run-directory.js';
import { ReportError } from '../report-error.js';

/**
 * The run directories in folders and below them, in the order of their names. Links below a folder are not followed, so no
 * run is found twice; hidden folders and those of packages are passed over.
 * @returns paths that begin as the folders do
 * @throws ReportError for a folder that is not there
 */
export async function findRuns(folders: readonly string[]): Promise<string[]> {
  const found = new Set<string>();
  for (const folder of folders) {
    const kind = await stat(folder).catch(() => null);
    if (!kind?.isDirectory()) throw new ReportError(`${folder}: there is no such folder.`);
    await walk(folder, found);
  }
  return [...found];
}

async function walk(folder: string, found: Set<string>): Promise<void> {
  const isRun = await holdsRun(folder);
  if (isRun) found.add(folder);
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  for (const name of folders.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))) {
    if (name.startsWith('.') || name === 'node_modules' || (isRun && OF_RUNS.includes(name))) continue;
    await walk(join(folder, name), found);
  }
}

const OF_RUNS: readonly string[] = [NAMES.last, NAMES.kept, NAMES.tensorboard];

/**
 * Whether a folder is a run directory: it has the recipe that a run begins with. A recipe.yaml that lies alone and can't be
 * read as one is another program's.
 */
export async function holdsRun(path: string): Promise<boolean> {
  const run = new RunDirectory(path);
  const traces = await run.traces().catch((): string[] => []);
  if (!traces.includes(NAMES.recipe)) return false;
  if (traces.length > 1) return true;
  return run.recipe().then(
    () => true,
    () => false,
  );
}
