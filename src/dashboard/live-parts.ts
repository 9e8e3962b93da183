import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';

/**
 * The parts of the page, each as it is now, and the browsers that follow them by server-sent events. A new content
 * replaces the part's old one, so that nothing is queued for a browser: each has the number of the last change that it was
 * sent, and gets what is newer once it has taken what came before. A browser that is slow skips states between; one that
 * takes nothing for a while is dropped.
 */

/** Browsers at once; more are refused. */
const MOST_READERS = 16;
/** Milliseconds between two signs of life, and without progress until a browser is given up. */
const HEARTBEAT = 10_000;
const STALLED = 30_000;
/** Milliseconds until a browser asks again that has lost the run. */
const RETRY = 1000;
/** Milliseconds that the end of a run waits for browsers to take the last news. */
const LAST_WORDS = 1000;

interface Part {
  /** Of the change that made it what it is. */
  readonly number: number;
  readonly content: string;
}

interface Reader {
  readonly response: ServerResponse;
  /** The last change that was written to it. */
  sent: number;
  /** Whether it has yet to take what was written. */
  busy: boolean;
}

export interface LivePartsOptions {
  /** Instead of the times above, for tests. */
  readonly heartbeat?: number;
  readonly stalled?: number;
}

export class LiveParts {
  /** Of this process: numbers of another one's changes mean nothing here. */
  readonly #origin = randomBytes(6).toString('base64url');
  readonly #parts = new Map<string, Part>();
  readonly #readers = new Set<Reader>();
  readonly #stalled: number;
  readonly #heartbeat: NodeJS.Timeout;
  #changes = 0;

  constructor({ heartbeat = HEARTBEAT, stalled = STALLED }: LivePartsOptions = {}) {
    this.#stalled = stalled;
    this.#heartbeat = setInterval(() => this.#beat(), heartbeat);
    this.#heartbeat.unref();
  }

  get readers(): number {
    return this.#readers.size;
  }

  /** Replaces a part; one that stays as it was is no change. */
  set(name: string, content: string): void {
    if (this.#parts.get(name)?.content === content) return;
    this.#parts.set(name, { number: ++this.#changes, content });
  }

  /** Writes what is new to all who can take it. */
  push(): void {
    for (const reader of this.#readers) this.#send(reader);
  }

  /**
   * Answers a request with the stream: first what changed after the event that the browser had last, or all.
   * @returns whether there was room for it
   */
  attach(response: ServerResponse, lastEventId?: string): boolean {
    if (this.#readers.size >= MOST_READERS) return false;
    const reader: Reader = { response, sent: this.#seen(lastEventId), busy: false };
    response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' });
    response.write(`retry: ${RETRY}\n\n`);
    response.on('drain', () => {
      reader.busy = false;
      this.#send(reader);
    });
    response.on('close', () => this.#readers.delete(reader));
    response.on('error', () => this.#readers.delete(reader));
    response.setTimeout(this.#stalled, () => response.destroy());
    this.#readers.add(reader);
    this.#send(reader);
    return true;
  }

  /** Lets browsers take what was written, for a moment, and hangs up. */
  async close(): Promise<void> {
    clearInterval(this.#heartbeat);
    this.push();
    const ended = Array.from(
      this.#readers,
      ({ response }) =>
        new Promise<void>((done) => {
          response.on('close', done);
          response.end(done);
        }),
    );
    const waited = new Promise<void>((done) => setTimeout(done, LAST_WORDS).unref());
    await Promise.race([Promise.all(ended), waited]);
    for (const { response } of this.#readers) response.destroy();
    this.#readers.clear();
  }

  #seen(lastEventId: string | undefined): number {
    const [origin, number] = lastEventId?.split('.') ?? [];
    return origin === this.#origin && /^\d+$/.test(number ?? '') ? Number(number) : 0;
  }

  #send(reader: Reader): void {
    if (reader.busy) return;
    const news = [...this.#parts].filter(([, { number }]) => number > reader.sent);
    if (news.length === 0) return;
    news.sort(([, a], [, b]) => a.number - b.number);
    reader.sent = this.#changes;
    const events = news.map(
      ([name, { number, content }]) =>
        `id: ${this.#origin}.${number}\nevent: part\ndata: ${JSON.stringify({ name, content })}\n\n`,
    );
    reader.busy = !reader.response.write(events.join(''));
  }

  #beat(): void {
    for (const { response, busy } of this.#readers) if (!busy) response.write(':\n\n');
  }
}
