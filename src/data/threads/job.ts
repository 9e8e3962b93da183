import type { Transferable } from 'node:worker_threads';
import { makeCacheFolders, sweepCache } from '../cache/cache-files.js';
import { type MadePicture, makePicture, type PictureJob } from '../cache/cached-picture.js';
import type { Lender } from '../images/decode-memory.js';
import { ImageError, type ImageErrorKind } from '../images/image-error.js';

/** Work that a thread is given, and the messages in which it travels. */

export type Job =
  | { readonly kind: 'picture'; readonly job: PictureJob }
  /** Makes the cache's folders and tidies up in them. */
  | { readonly kind: 'sweep'; readonly folder: string; readonly limitBytes: number };

/** From a thread. Errors with a class of their own travel as their parts, because only Error itself keeps its class. */
export type Message =
  /** Asks for memory, and waits for any message before it goes on. */
  | { readonly kind: 'needs'; readonly bytes: number }
  | { readonly kind: 'picture'; readonly made: MadePicture }
  | { readonly kind: 'swept'; readonly bytes: number }
  | {
      readonly kind: 'imageError';
      readonly error: { readonly kind: ImageErrorKind; readonly path: string; readonly reason: string };
    }
  /** `code` is the system's; it is lost in an error's copy. */
  | { readonly kind: 'error'; readonly error: Error; readonly code: unknown };

export type Answer = Exclude<Message, { kind: 'needs' }>;

/** Does a job, in whichever thread this is. Never throws. */
export async function doJob(job: Job, memory: Lender): Promise<Answer> {
  try {
    if (job.kind === 'sweep') {
      makeCacheFolders(job.folder);
      return { kind: 'swept', bytes: sweepCache(job.folder, job.limitBytes) };
    }
    const { decoding } = job.job;
    return { kind: 'picture', made: await makePicture({ ...job.job, decoding: { ...decoding, memory } }) };
  } catch (error) {
    if (error instanceof ImageError) {
      const { kind, path, reason } = error;
      return { kind: 'imageError', error: { kind, path, reason } };
    }
    if (!(error instanceof Error)) return { kind: 'error', error: new Error(String(error)), code: undefined };
    return { kind: 'error', error, code: 'code' in error ? error.code : undefined };
  }
}

/** The memory of an answer that is large, to be moved and not copied. */
export function movable(answer: Answer): Transferable[] {
  return answer.kind === 'picture' ? [answer.made.grey.buffer] : [];
}
