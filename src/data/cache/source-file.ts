import { createHash } from 'node:crypto';
import { type BigIntStats, statSync } from 'node:fs';
import { readImageBytes } from '../images/decode.js';

/**
 * Which content a picture's file has. The content's digest says it for sure, and costs reading the file. The stamp says
 * it at the price of one look at the folder: device, inode, size, and the times of the last change of content and of
 * the last change of anything, in nanoseconds. The latter is set by the system alone, so that a program that puts the
 * old time of writing back, as `cp -p` and `rsync -t` do, is found out, too.
 *
 * A clock ticks. A file that changes twice within a tick has the same stamp after both; so a stamp is only trusted if
 * the file had been at rest for longer than a tick when its content was read.
 */

/** A file's stamp, without spaces; null where there is no file. */
export function stampOf(path: string): string | null {
  const found = lookAt(path);
  return found && textOf(found);
}

export interface ReadSource {
  readonly bytes: Uint8Array;
  /** SHA-256 in hexadecimal. */
  readonly digest: string;
  /** A stamp that from now on means this content; null where the file is too fresh, or changed while it was read. */
  readonly stamp: string | null;
}

/** Reads a whole picture file. @throws ImageError */
export async function readSource(path: string): Promise<ReadSource> {
  const before = lookAt(path);
  const started = Date.now();
  const bytes = await readImageBytes(path);
  const still = before !== null && textOf(before) === stampOf(path);
  return {
    bytes,
    digest: createHash('sha256').update(bytes).digest('hex'),
    stamp: still && isAtRest(before, started) ? textOf(before) : null,
  };
}

/** @param now in milliseconds */
export function isAtRest(
  { mtimeNs, ctimeNs }: Pick<BigIntStats, 'mtimeNs' | 'ctimeNs'>,
  now: number,
): boolean {
  const changed = mtimeNs > ctimeNs ? mtimeNs : ctimeNs;
  // some file systems count in whole seconds, or two
  const tick = ctimeNs % 1_000_000_000n === 0n ? 2500 : 50;
  return now - Number(changed / 1_000_000n) > tick;
}

function lookAt(path: string): BigIntStats | null {
  try {
    return statSync(path, { bigint: true });
  } catch {
    // reading the file says what is wrong
    return null;
  }
}

function textOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(':');
}
