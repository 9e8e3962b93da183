import * as node from 'node:fs/promises';
import { dirname } from 'node:path';
import { TailrayError } from '../engine/errors.js';

/**
 * Files that are either the old ones or the new ones, never half of either: written beside their place, forced to the
 * disk, then renamed. A full disk or a pulled plug leaves what was there.
 */

/** A file or folder of a run that can't be written; what was there before is untouched. */
export class StorageError extends TailrayError {}

/** What is used of the file system, so that a test can let it fail. */
export interface FileSystem {
  open(path: string, flags: 'w'): Promise<FileHandle>;
  rename(from: string, to: string): Promise<void>;
  rm(path: string, options: { force: boolean; recursive: boolean }): Promise<void>;
  mkdir(path: string, options: { recursive: true }): Promise<unknown>;
}

interface FileHandle {
  writeFile(content: Uint8Array | string): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

export const nodeFiles: FileSystem = node;

/**
 * Puts `content` at `path`, whole or not at all.
 * @throws StorageError saying why, and that the previous file is as it was
 */
export async function writeAtomically(
  path: string,
  content: Uint8Array | string,
  files: FileSystem = nodeFiles,
): Promise<void> {
  const partial = `${path}.partial`;
  try {
    await writeThrough(partial, content, files);
    await files.rename(partial, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await files.rm(partial, { force: true, recursive: false }).catch(() => undefined);
    throw storageError(path, error);
  }
}

/** Writes a new file and forces it to the disk; for files that nothing refers to until a later rename. */
export async function writeThrough(
  path: string,
  content: Uint8Array | string,
  files: FileSystem = nodeFiles,
): Promise<void> {
  const handle = await files.open(path, 'w');
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** What a failed write means for the person at the keyboard. */
export function storageError(path: string, cause: unknown): StorageError {
  if (cause instanceof StorageError) return cause;
  return new StorageError(
    `${path} can't be written: ${writeFailure(cause)}. What was saved before is untouched.`,
    { cause },
  );
}

/** Why a write failed, in words, with the system's code: `the disk is full (ENOSPC)`. */
export function writeFailure(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
  const reason = (code === undefined ? undefined : REASONS[code]) ?? String(cause);
  return `${reason}${code === undefined ? '' : ` (${code})`}`;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'your quota on this disk is used up',
  EACCES: 'you may not write there',
  EPERM: 'you may not write there',
  EROFS: 'the disk is read-only',
  ENOENT: 'the folder is gone',
  ENOTDIR: 'a part of the path is a file',
  EEXIST: 'a file stands where the folder should be',
  EISDIR: 'a folder stands in its place',
  EFBIG: 'the file would be too large for this disk',
  EIO: 'the disk reports an error',
};

/** Makes a rename durable where the system lets a folder be synced; not all do. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await node.open(folder, 'r').catch(() => null);
  if (handle === null) return;
  try {
    await handle.sync().catch(() => undefined);
  } finally {
    await handle.close();
  }
}
