import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';

/** Plain HTTP against a live page: what a browser sends, and what none would. */

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface Question {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** @param address `http://127.0.0.1:PORT/PATH` */
export async function ask(address: string, { method = 'GET', headers = {} }: Question = {}): Promise<Answer> {
  const sent = request(address, { method, headers: { ...headers }, agent: false });
  sent.end();
  const [response]: IncomingMessage[] = (await once(sent, 'response')) as [IncomingMessage];
  let body = '';
  response!.setEncoding('utf8');
  for await (const chunk of response!) body += chunk;
  return { status: response!.statusCode ?? 0, headers: response!.headers, body };
}

/** A browser that has opened the page with its token. */
export interface Known {
  /** Of the page, with a slash at its end. */
  readonly page: string;
  readonly cookie: string;
  /** What makes a request one of the page's own. */
  readonly own: Readonly<Record<string, string>>;
}

/** Exchanges the token of an address for a session. */
export async function open(address: string): Promise<Known> {
  const { headers } = await ask(address);
  const cookie = headers['set-cookie']?.[0]?.split(';')[0] ?? '';
  const { origin } = new URL(address);
  const page = `${origin}${headers.location}`;
  const { body } = await ask(page, { headers: { cookie } });
  const key = /data-request-key="([^"]+)"/.exec(body)?.[1] ?? '';
  return { page, cookie, own: { cookie, origin, 'x-tailray-request': key } };
}

export interface StreamEvent {
  readonly id: string;
  readonly name: string;
  readonly content: string;
}

/** Server-sent events as they come. */
export class Stream {
  readonly events: StreamEvent[] = [];
  ended = false;
  readonly #response: IncomingMessage;

  private constructor(response: IncomingMessage) {
    this.#response = response;
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      const whole = (text.slice(-1) + chunk).includes('\n\n');
      text += chunk;
      if (!whole) return;
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const [, id] = /^id: (.*)$/m.exec(block) ?? [];
        const [, data] = /^data: (.*)$/m.exec(block) ?? [];
        if (id !== undefined && data !== undefined) this.events.push({ id, ...JSON.parse(data) });
      }
    });
    response.on('close', () => {
      this.ended = true;
    });
    response.on('error', () => {
      this.ended = true;
    });
  }

  static async open({ page, cookie }: Known, lastEventId?: string): Promise<Stream> {
    const headers = { cookie, ...(lastEventId !== undefined && { 'last-event-id': lastEventId }) };
    const sent = request(`${page}events`, { headers, agent: false });
    sent.end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    if (response.statusCode !== 200) throw new Error(`the stream was refused: ${response.statusCode}`);
    return new Stream(response);
  }

  /** What a part was last; undefined where it never came. */
  last(name: string): string | undefined {
    return this.events.findLast((event) => event.name === name)?.content;
  }

  close(): void {
    this.#response.destroy();
  }
}
