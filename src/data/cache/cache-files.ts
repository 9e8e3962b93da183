import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  futimesSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

/**
 * The files of a cache folder, in three places: `entries/`, `stamps/` (each with 256 folders, so that none has more
 * than some hundred files), and `partial/` for those that are being written. A file appears under its name by a rename, so
 * readers and writers of several processes need no lock. Nothing is forced to the disk: after a loss of power a file may be
 * torn, which every reader finds out for itself.
 *
 * All of it is synchronous, for threads that have nothing else to do.
 */

export type Place = 'entries' | 'stamps';
const PLACES: readonly Place[] = ['entries', 'stamps'];

/** Uses are noted to this precision, so that a file in use isn't touched all the time. */
const NOTED_AFTER_MS = 6 * 3_600_000;
/** Files used since are in somebody's way to evict. */
const IN_USE_MS = 24 * 3_600_000;
/** No file takes as long to write: what is older was left by a process that was killed. */
const ABANDONED_MS = 3_600_000;

/**
 * Makes the folders. Nobody but the user may look inside: the cache holds pictures of patients.
 * @throws Error where the folder is another user's, who could read along; and as the system does
 */
export function makeCacheFolders(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const found = lstatSync(folder);
  if (!found.isDirectory()) throw new Error('it is a link, or no folder');
  if (process.getuid !== undefined && found.uid !== process.getuid()) {
    throw new Error('it belongs to another user');
  }
  for (const place of [...PLACES, 'partial']) {
    mkdirSync(join(folder, place), { recursive: true, mode: 0o700 });
  }
}

/** A whole file, in memory of its own, or null where there is none. @param limit bytes above which it is none of ours */
export function readCached(
  folder: string,
  place: Place,
  name: string,
  limit: number,
): Uint8Array<ArrayBuffer> | null {
  let file: number;
  try {
    file = openSync(pathOf(folder, place, name), 'r');
  } catch {
    return null;
  }
  try {
    const { size, mtimeMs } = fstatSync(file);
    if (size > limit) return null;
    const bytes = new Uint8Array(size);
    let at = 0;
    while (at < size) {
      const count = readSync(file, bytes, at, size - at, at);
      if (count === 0) return null;
      at += count;
    }
    if (Date.now() - mtimeMs > NOTED_AFTER_MS) noteUse(file);
    return bytes;
  } catch {
    return null;
  } finally {
    closeSync(file);
  }
}

/** Puts a file in its place, whole. @returns bytes that it takes there @throws as the system does */
export function writeCached(
  folder: string,
  place: Place,
  name: string,
  parts: readonly Uint8Array[],
): number {
  const partial = join(folder, 'partial', `${process.pid}-${randomBytes(8).toString('hex')}`);
  try {
    const file = openSync(partial, 'wx', 0o600);
    let size = 0;
    try {
      for (const part of parts) {
        for (let at = 0; at < part.length; ) at += writeSync(file, part, at);
        size += part.length;
      }
    } finally {
      closeSync(file);
    }
    const path = pathOf(folder, place, name);
    try {
      renameSync(partial, path);
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
      mkdirSync(join(path, '..'), { mode: 0o700, recursive: true });
      renameSync(partial, path);
    }
    return onDisk(size);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  }
}

/**
 * Tidies up before a run: takes what killed writers left, and if more than three quarters of the limit are used, the
 * files whose last use lies furthest back, until no more are. Files used within a day stay: another run may be at it.
 * @returns bytes in use afterwards
 */
export function sweepCache(folder: string, limitBytes: number): number {
  const now = Date.now();
  const found: { path: string; bytes: number; used: number }[] = [];
  let total = 0;
  for (const place of PLACES) {
    for (const fan of listed(join(folder, place))) {
      for (const name of listed(join(folder, place, fan))) {
        const path = join(folder, place, fan, name);
        const stats = statSync(path, { throwIfNoEntry: false });
        if (!stats?.isFile()) continue;
        const bytes = onDisk(stats.size);
        total += bytes;
        if (now - stats.mtimeMs > IN_USE_MS) found.push({ path, bytes, used: stats.mtimeMs });
      }
    }
  }
  if (total > 0.75 * limitBytes) {
    found.sort((a, b) => a.used - b.used);
    for (const { path, bytes } of found) {
      if (total <= 0.75 * limitBytes) break;
      if (removed(path)) total -= bytes;
    }
  }
  for (const name of listed(join(folder, 'partial'))) {
    const path = join(folder, 'partial', name);
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats && now - stats.mtimeMs > ABANDONED_MS) removed(path);
  }
  return total;
}

/** What a file of a size takes on most disks. */
function onDisk(size: number): number {
  return Math.ceil(size / 4096) * 4096;
}

function pathOf(folder: string, place: Place, name: string): string {
  return join(folder, place, name.slice(0, 2), name.slice(2));
}

function noteUse(file: number): void {
  try {
    const now = new Date();
    futimesSync(file, now, now);
  } catch {
    // a cache that can only be read is of use, too
  }
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function removed(path: string): boolean {
  try {
    rmSync(path);
    return true;
  } catch {
    return false;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
