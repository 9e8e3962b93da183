import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { TailrayError } from '../../engine/errors.js';
import type { MadePicture, PictureJob } from '../cache/cached-picture.js';
import { decodeMemory } from '../images/decode-memory.js';
import { ImageError } from '../images/image-error.js';
import { askThread, ThreadEnd } from './ask-thread.js';
import { type Answer, doJob, type Job, type Message } from './job.js';

/**
 * Threads that read, decode and prepare pictures, so that the main thread only hands out work and feeds the device. A
 * thread is started when there is work and all others are busy. It does one job at a time, in the order of asking; what waits is a few
 * words a job, so memory is bounded by the number of threads. One that dies takes its picture with it and no more. Idle
 * threads don't keep the process alive.
 */
export class PicturePool {
  #threads: number | undefined;
  readonly #start: () => Worker;
  readonly #idle: Worker[] = [];
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /**
   * @param threads at most; 0: everything is done in the thread that asks; absent: as TAILRAY_THREADS says, else one a core
   * @param start of a thread; other ones than the ordinary are for tests
   */
  constructor(threads?: number, start: () => Worker = startThread) {
    this.#threads = threads;
    this.#start = start;
  }

  /** @throws TailrayError for a TAILRAY_THREADS that is no number */
  get threads(): number {
    this.#threads ??= threadsAsked();
    return this.#threads;
  }

  /** @throws ImageError */
  async picture(job: PictureJob): Promise<MadePicture> {
    const answer = await this.#do({ kind: 'picture', job }).catch((error: unknown) => {
      if (!(error instanceof ThreadEnd)) throw error;
      const reason = `decoding it ended the thread that did it (${error.message}).`;
      throw new ImageError('unreadable', job.image, reason, undefined, { cause: error });
    });
    if (answer.kind !== 'picture') throw errorOf(answer);
    return answer.made;
  }

  /** Makes a cache folder and tidies it up. @returns bytes in use @throws as the system does */
  async sweep(folder: string, limitBytes: number): Promise<number> {
    const answer = await this.#do({ kind: 'sweep', folder, limitBytes });
    if (answer.kind !== 'swept') throw errorOf(answer);
    return answer.bytes;
  }

  /** Ends the threads that wait; for programs that start many pools. */
  async close(): Promise<void> {
    await Promise.all(this.#idle.splice(0).map((worker) => worker.terminate()));
  }

  async #do(job: Job): Promise<Answer> {
    // without threads of our own, the decoding library works in libuv's
    const most = this.threads === 0 ? 4 : this.threads;
    if (this.#running < most) this.#running++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await (this.threads === 0 ? doJob(job, decodeMemory) : this.#ask(job));
    } finally {
      // the place goes to the one who has waited longest
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }

  async #ask(job: Job): Promise<Answer> {
    const worker = this.#idle.pop() ?? this.#startOne();
    let giveBack = () => {};
    const ended = new Promise<void>((resolve) => {
      giveBack = resolve;
    });
    const answerOf = (sent: unknown) => {
      const message = sent as Message;
      if (message.kind !== 'needs') return message;
      decodeMemory
        .during(message.bytes, () => {
          worker.postMessage('granted');
          return ended;
        })
        // a thread that asks for more than there is, is none of ours
        .catch(() => worker.terminate());
      return undefined;
    };
    try {
      const answer = await askThread({ worker, message: job, answerOf });
      if (answer === 'late') throw new RangeError('there is no limit of time');
      this.#idle.push(worker);
      return answer;
    } finally {
      giveBack();
    }
  }

  #startOne(): Worker {
    const worker = this.#start();
    // a busy one is heard by who asked it; one that dies idle is not missed, and must not be asked
    worker.on('error', () => {});
    worker.once('exit', () => {
      const place = this.#idle.indexOf(worker);
      if (place >= 0) this.#idle.splice(place, 1);
    });
    return worker;
  }
}

/** Of this process, for all its data sets together. */
export const picturePool = new PicturePool();

function threadsAsked(asked = process.env.TAILRAY_THREADS): number {
  // beyond, the disk is the limit, and the memory of threads counts
  if (asked === undefined || asked === '') return Math.min(availableParallelism(), 16);
  if (!/^\d{1,3}$/.test(asked)) {
    throw new TailrayError(
      `TAILRAY_THREADS is "${asked}": give the number of threads that decode pictures, such as 4; 0 decodes in the main thread.`,
    );
  }
  return Number(asked);
}

function startThread(): Worker {
  const built = import.meta.url.endsWith('.js');
  const program = new URL(`./picture-thread.${built ? 'js' : 'ts'}`, import.meta.url);
  // tests run the sources, and node reads no TypeScript by itself
  const jiti = () => join(dirname(createRequire(import.meta.url).resolve('jiti')), 'jiti-register.mjs');
  const execArgv = built ? [] : ['--import', pathToFileURL(jiti()).href];
  return new Worker(program, { execArgv });
}

function errorOf(answer: Answer): Error {
  if (answer.kind === 'error') {
    return answer.code === undefined ? answer.error : Object.assign(answer.error, { code: answer.code });
  }
  if (answer.kind !== 'imageError') return new RangeError(`an answer to another question: ${answer.kind}`);
  const { kind, path, reason } = answer.error;
  return new ImageError(kind, path, reason);
}
