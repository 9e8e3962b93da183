import type { Hash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { contentHash } from './hub-digest.js';
import { HubError } from './hub-error.js';

/**
 * One content from a hub into one file. A connection that breaks is taken up where it broke; bytes that are not those
 * that the hub told the digest of never get a name.
 */
export interface Download {
  /** For messages. */
  readonly place: string;
  /** The content, or its end from `offset` on. */
  stream(offset: number): Promise<ReadableStream<Uint8Array>>;
  readonly size: number;
  readonly digest: string;
  onProgress?(done: number): void;
}

/** Attempts without a byte in between, and the pause before the second one, doubled each time. */
const ATTEMPTS = 4;
const PAUSE_MS = 500;

/** @throws HubError 'unreachable' or 'damaged'; then there is no file */
export async function downloadTo(path: string, download: Download): Promise<void> {
  const file = await open(path, 'wx');
  try {
    const hash = contentHash(download.digest, download.size);
    let done = 0;
    for await (const chunk of receive(download)) {
      hash.update(chunk);
      await file.writeFile(chunk);
      done += chunk.length;
      download.onProgress?.(done);
    }
    requireDigest(hash, download);
    await file.sync();
  } catch (error) {
    await file.close();
    await rm(path, { force: true });
    throw error;
  }
  await file.close();
}

async function* receive({ place, size, stream }: Download): AsyncGenerator<Uint8Array> {
  let done = 0;
  let failures = 0;
  while (done < size) {
    let reason: unknown = `it ended after ${done} of ${size} bytes`;
    try {
      for await (const chunk of await stream(done)) {
        failures = 0;
        done += chunk.length;
        if (done > size) throw new HubError('damaged', `${place}: more bytes came than the ${size} it has.`);
        yield chunk;
      }
    } catch (error) {
      if (error instanceof HubError && error.kind !== 'unreachable') throw error;
      reason = error;
    }
    if (done === size) return;
    if (++failures === ATTEMPTS) {
      const last = reason instanceof Error ? reason.message : String(reason);
      throw new HubError('unreachable', `${place}: the connection broke ${ATTEMPTS} times (${last}).`, {
        cause: reason,
      });
    }
    await sleep(PAUSE_MS * 2 ** (failures - 1));
  }
}

function requireDigest(hash: Hash, { place, digest }: Download): void {
  const found = hash.digest('hex');
  if (found === digest) return;
  throw new HubError(
    'damaged',
    `${place}: what came is not what the hub says it has (digest ${found} instead of ${digest}). It was removed. ` +
      'A proxy or mirror may have changed it: try again, or another HF_ENDPOINT.',
  );
}
