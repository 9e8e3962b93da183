import type { Transferable, Worker } from 'node:worker_threads';

/** A thread that ended instead of answering: of itself, or by an error that nobody caught in it. */
export class ThreadEnd extends Error {}

export interface Question<Answer> {
  readonly worker: Worker;
  readonly message: unknown;
  /** Buffers that move to the thread and are lost here. */
  readonly transfer?: readonly Transferable[];
  /** The answer that a message holds; undefined for one that comes on the way. */
  readonly answerOf: (message: unknown) => Answer | undefined;
  /** Time after which nobody waits any more; no limit when absent. */
  readonly seconds?: number;
}

/**
 * Puts a question to a thread that is busy with no other one. The thread keeps the process alive only as long.
 * @returns 'late' after `seconds`; the thread is still at it then
 * @throws ThreadEnd
 */
export async function askThread<Answer>({
  worker,
  message,
  transfer = [],
  answerOf,
  seconds,
}: Question<Answer>): Promise<Answer | 'late'> {
  worker.ref();
  try {
    return await new Promise<Answer | 'late'>((resolve, reject) => {
      const timer =
        seconds === undefined ? undefined : setTimeout(() => finish(() => resolve('late')), seconds * 1000);
      const onMessage = (sent: unknown) => {
        const answer = answerOf(sent);
        if (answer !== undefined) finish(() => resolve(answer));
      };
      const onError = (cause: unknown) =>
        finish(() =>
          reject(new ThreadEnd(cause instanceof Error ? cause.message : String(cause), { cause })),
        );
      const onExit = (code: number) => finish(() => reject(new ThreadEnd(`exit code ${code}`)));
      const finish = (settle: () => void) => {
        clearTimeout(timer);
        worker.off('message', onMessage).off('error', onError).off('exit', onExit);
        settle();
      };
      worker.on('message', onMessage).on('error', onError).on('exit', onExit);
      worker.postMessage(message, transfer);
    });
  } finally {
    worker.unref();
  }
}
