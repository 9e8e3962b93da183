import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { storageError } from './atomic-file.js';
import { RunDirectoryError } from './run-directory-error.js';

/**
 * Keeps two processes from writing one run: a file with the writer's process and machine, removed at the end. One that
 * a killed process left behind is recognised, on the same machine, and taken over.
 * @returns what releases the lock
 * @throws RunDirectoryError while another process holds it
 */
export async function lockRun(path: string): Promise<() => Promise<void>> {
  const own = `${process.pid} ${hostname()}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    if (!(await claim(path, own))) {
      const holder = (await readFile(path, 'utf8').catch(() => '')).trim();
      if (isAlive(holder)) {
        throw new RunDirectoryError(
          `${dirname(path)} is being written by process ${holder.replace(' ', ' on ')}: wait for it, stop it, or ` +
            `choose another --out. If it is gone, remove ${path}.`,
        );
      }
      await rm(path, { force: true });
      await claim(path, own);
    }
  } catch (error) {
    throw error instanceof RunDirectoryError ? error : storageError(path, error);
  }
  return () => rm(path, { force: true });
}

async function claim(path: string, own: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    await file.writeFile(own);
    await file.close();
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Whether the process may still run; one of another machine can't be asked. */
function isAlive(holder: string): boolean {
  const [pid, host] = holder.split(' ');
  if (host !== hostname()) return host !== undefined;
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    // someone else's process may not be asked either, but it is there
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
