import { mkdir, open, readFile, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { storageError } from '../../storage/atomic-file.js';
import { RunDirectoryError } from './run-directory-error.js';

/** Between two signs of life, and without one until the lock of another machine is taken over; milliseconds. */
const HEARTBEAT = 60_000;
const LEFT_BEHIND = 15 * HEARTBEAT;

/**
 * Keeps two processes from writing one run: a file with the writer's process and machine, removed at the end. One that
 * a killed process left behind is taken over: at once on the same machine, else (a job of a cluster that was preempted)
 * when its holder has given no sign of life for a quarter of an hour.
 * @returns what releases the lock
 * @throws RunDirectoryError while another process holds it
 */
export async function lockRun(path: string): Promise<() => Promise<void>> {
  const own = `${process.pid} ${hostname()}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    if (!(await claim(path, own))) {
      const holder = await lockHolder(path);
      if (holder !== null) {
        throw new RunDirectoryError(
          `${dirname(path)} is being written by ${holder}: wait for it, stop it, or choose another --out. ` +
            `If it is gone, remove ${path}.`,
        );
      }
      await rm(path, { force: true });
      if (!(await claim(path, own))) {
        throw new RunDirectoryError(`${dirname(path)} was just taken by another process.`);
      }
    }
  } catch (error) {
    throw error instanceof RunDirectoryError ? error : storageError(path, error);
  }
  const heartbeat = setInterval(() => {
    const now = new Date();
    // a lock that can't be touched for a moment is still held
    utimes(path, now, now).catch(() => undefined);
  }, HEARTBEAT);
  heartbeat.unref();
  return () => {
    clearInterval(heartbeat);
    return rm(path, { force: true });
  };
}

/** Who holds a lock, as `process 12 on host`; null where nobody does, or the holder is gone. */
export async function lockHolder(path: string): Promise<string | null> {
  const holder = (await readFile(path, 'utf8').catch(() => '')).trim();
  return holder !== '' && (await isAlive(holder, path)) ? `process ${holder.replace(' ', ' on ')}` : null;
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

/** Whether the process may still run; one of another machine can't be asked, but touches its lock. */
async function isAlive(holder: string, path: string): Promise<boolean> {
  const [pid, host] = holder.split(' ');
  if (host !== hostname()) {
    const touched = (await stat(path).catch(() => null))?.mtimeMs ?? 0;
    return host !== undefined && Date.now() - touched < LEFT_BEHIND;
  }
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    // someone else's process may not be asked either, but it is there
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
