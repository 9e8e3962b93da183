import { parentPort } from 'node:worker_threads';
import type { Lender } from '../images/decode-memory.js';
import { doJob, type Job, type Message, movable } from './job.js';

/** The program of a thread that prepares pictures: a job, its answer, the next job. */

const port = parentPort;
if (port === null) throw new Error('picture-thread runs as a worker thread only');

/** Set while this thread waits for memory. */
let granted: (() => void) | undefined;

/** The memory belongs to the whole process, so the main thread lends it; it takes it back with the answer. */
const memory: Lender = {
  async during(bytes, work) {
    const waiting = new Promise<void>((resolve) => {
      granted = resolve;
    });
    port.postMessage({ kind: 'needs', bytes } satisfies Message);
    await waiting;
    return work();
  },
};

port.on('message', async (message: Job | 'granted') => {
  if (message === 'granted') {
    granted?.();
    return;
  }
  const answer = await doJob(message, memory);
  port.postMessage(answer, movable(answer));
});
