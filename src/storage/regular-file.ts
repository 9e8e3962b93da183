import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { TailrayError } from '../engine/errors.js';

/**
 * The one door for files that a person or a table names. Only regular files pass, links to them too. A named pipe would
 * block until somebody writes to it, and a link to `/dev/zero` would fill the memory.
 */

/** A file that cannot be read. Rooms with an error class of their own wrap it and keep its `reason`. */
export class RegularFileError extends TailrayError {
  readonly path: string;
  /** The system's code such as 'ENOENT' or 'EISDIR'; 'IRREGULAR' for pipes, devices and sockets; 'TOO_LARGE'. */
  readonly code: string;
  /** The message without the path. */
  readonly reason: string;

  constructor(path: string, code: string, reason: string, options?: ErrorOptions) {
    super(`${path}: ${reason}`, options);
    this.path = path;
    this.code = code;
    this.reason = reason;
  }
}

export interface RegularFileOptions {
  /** Larger files are refused before a byte is read; no limit when absent. */
  readonly maxBytes?: number;
}

/** Far more than any recipe, index or source file has. */
export const MAX_TEXT_BYTES = 64 * 2 ** 20;

/** Reads a whole regular file. @throws RegularFileError */
export async function readRegularFile(path: string, options: RegularFileOptions = {}): Promise<Buffer> {
  const file = await openRegularFile(path, options);
  try {
    return await file.readFile();
  } catch (cause) {
    throw systemError(path, cause);
  } finally {
    await file.close();
  }
}

/** Reads a whole regular file as UTF-8. @throws RegularFileError */
export async function readRegularText(
  path: string,
  options: RegularFileOptions = { maxBytes: MAX_TEXT_BYTES },
): Promise<string> {
  return (await readRegularFile(path, options)).toString('utf8');
}

/** Opens a regular file for reading; the caller closes it. @throws RegularFileError */
export async function openRegularFile(
  path: string,
  { maxBytes = Number.POSITIVE_INFINITY }: RegularFileOptions = {},
): Promise<FileHandle> {
  // Looked at before it is opened, because opening is an act for some devices; and again afterwards, because another
  // file may stand there by then. Not blocking, for the same reason.
  let file: FileHandle;
  try {
    requireRegular(path, await stat(path), maxBytes);
    file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0));
  } catch (cause) {
    throw systemError(path, cause);
  }
  try {
    requireRegular(path, await file.stat(), maxBytes);
    return file;
  } catch (cause) {
    await file.close();
    throw systemError(path, cause);
  }
}

/** The kind of something that is neither a regular file nor a folder, in words; null for those two. */
export function irregularKind(found: Stats): string | null {
  if (found.isFile() || found.isDirectory()) return null;
  if (found.isFIFO()) return 'a named pipe (FIFO)';
  if (found.isSocket()) return 'a socket';
  if (found.isCharacterDevice() || found.isBlockDevice()) return 'a device';
  return 'of an unknown kind';
}

function requireRegular(path: string, found: Stats, maxBytes: number): void {
  if (found.isDirectory()) throw new RegularFileError(path, 'EISDIR', 'is a folder.');
  const kind = irregularKind(found);
  if (kind !== null) {
    throw new RegularFileError(path, 'IRREGULAR', `is ${kind}, not a regular file; it is not opened.`);
  }
  if (found.size > maxBytes) {
    const limit = `more than the ${maxBytes} allowed here`;
    throw new RegularFileError(path, 'TOO_LARGE', `has ${found.size} bytes, ${limit}.`);
  }
}

function systemError(path: string, cause: unknown): RegularFileError {
  if (cause instanceof RegularFileError) return cause;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  const reason =
    code === 'ENOENT' || code === 'ENOTDIR' ? 'there is no such file.' : `can't be read (${code}).`;
  return new RegularFileError(path, code, reason, { cause });
}
