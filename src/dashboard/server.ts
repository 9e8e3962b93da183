import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Access, foreign, isOwnRequest, type Session } from './access.js';
import type { LiveParts } from './live-parts.js';

/** The server of the live page: what it answers to whom. It is reachable from this machine only. */

/** A thing that the server hands out. */
export interface Served {
  readonly type: string;
  readonly content: string | Uint8Array;
}

export interface ServerContent {
  readonly access: Access;
  /** Of this run, and unknown to others: cookies don't know ports, and are sent below this path only. */
  readonly id: string;
  readonly parts: LiveParts;
  /** What the page's inline style attributes must be, as sources of a content policy. */
  readonly styles: readonly string[];
  page(session: Session): string;
  /** By name below the page's address. */
  file(name: string): Promise<Served | null>;
  /** What a button does, by name; null where there is no such button. */
  action(name: string): (() => void) | null;
  /** A browser has opened the run with its token. */
  onSession(): void;
  /** A browser follows the run from now on. */
  onReader(): void;
}

/** The only interface: nothing outside this machine reaches it. */
const INTERFACE = '127.0.0.1';

export class DashboardServer {
  readonly #server: Server;
  readonly #content: ServerContent;

  private constructor(content: ServerContent) {
    this.#content = content;
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#server.maxConnections = 128;
  }

  /** @param ports to try in turn; where each is in use, a free one is taken. 0 is any free one */
  static async listen(content: ServerContent, ports: readonly number[]): Promise<DashboardServer> {
    const made = new DashboardServer(content);
    for (const port of [...ports, 0]) {
      if (await made.#bind(port)) return made;
    }
    throw new RangeError('port 0 is never in use');
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Opens the page in one browser, once. */
  get address(): string {
    return `http://${INTERFACE}:${this.port}/?token=${this.#content.access.token}`;
  }

  async close(): Promise<void> {
    await this.#content.parts.close();
    await new Promise<void>((done) => {
      this.#server.close(() => done());
      this.#server.closeAllConnections();
    });
  }

  /** @returns false where the port is in use or not for us */
  #bind(port: number): Promise<boolean> {
    return new Promise((done, failed) => {
      const refused = (error: NodeJS.ErrnoException) => {
        if (port !== 0 && (error.code === 'EADDRINUSE' || error.code === 'EACCES')) done(false);
        else failed(error);
      };
      this.#server.once('error', refused);
      this.#server.listen({ port, host: INTERFACE }, () => {
        this.#server.off('error', refused);
        // later ones are those of single connections
        this.#server.on('error', () => {});
        done(true);
      });
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(this.#headers)) response.setHeader(name, value);
    // what is sent along is not read
    request.resume();
    try {
      const answer = await this.#answer(request, response);
      if (answer === FOLLOWS) return;
      response.writeHead(answer.status, answer.headers);
      response.end(answer.content);
    } catch {
      // a fault here must end no training
      response.destroy();
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<Answer | typeof FOLLOWS> {
    const { access, id, page, file } = this.#content;
    const reason = foreign(request.headers);
    if (reason !== null) return refusal(403, reason);
    const address = request.url ?? '';
    if (!URL.canParse(address, `http://${INTERFACE}`)) return refusal(400, 'This is no address.');
    const { pathname, searchParams } = new URL(address, `http://${INTERFACE}`);
    if (pathname === '/') return this.#open(request, searchParams.get('token') ?? '');
    const base = `/${id}/`;
    const session = access.session(request.headers);
    const site = String(request.headers['sec-fetch-site'] ?? 'none');
    if (session === null || !pathname.startsWith(base) || !['none', 'same-origin'].includes(site)) {
      return refusal(403, UNKNOWN);
    }
    const name = pathname.slice(base.length);
    if (request.method === 'POST') return this.#act(request, name, session);
    if (request.method !== 'GET') return refusal(405, 'GET and POST are all that is understood.');
    if (name === '') return found({ type: 'text/html; charset=utf-8', content: page(session) });
    if (name === 'events') return this.#follow(request, response);
    const beside = await file(name);
    return beside === null ? refusal(404, 'There is no such thing here.') : found(beside);
  }

  #open(request: IncomingMessage, token: string): Answer {
    const { access, id, onSession } = this.#content;
    const cookie = request.method === 'GET' ? access.exchange(token, `/${id}/`) : null;
    if (cookie === null) return refusal(403, UNKNOWN);
    onSession();
    return { status: 303, headers: { Location: `/${id}/`, 'Set-Cookie': cookie } };
  }

  #follow(request: IncomingMessage, response: ServerResponse): Answer | typeof FOLLOWS {
    const { parts, onReader } = this.#content;
    const seen = request.headers['last-event-id'];
    if (!parts.attach(response, typeof seen === 'string' ? seen : undefined)) {
      return refusal(503, 'So many browsers follow this run already that there is no room for one more.');
    }
    onReader();
    return FOLLOWS;
  }

  #act(request: IncomingMessage, name: string, session: Session): Answer {
    const act = this.#content.action(name);
    if (act === null) return refusal(404, 'There is no such button.');
    if (!isOwnRequest(request.headers, session)) return refusal(403, 'Only the page itself may ask this.');
    act();
    return { status: 202 };
  }

  /** Of each answer. */
  get #headers(): Readonly<Record<string, string>> {
    const { styles } = this.#content;
    const policy = [
      "default-src 'none'",
      "script-src 'self'",
      `style-src 'self'${styles.length > 0 ? ` 'unsafe-hashes' ${styles.join(' ')}` : ''}`,
      "img-src 'self'",
      "connect-src 'self'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ];
    return {
      'Content-Security-Policy': policy.join('; '),
      'X-Content-Type-Options': 'nosniff',
      'X-Frame-Options': 'DENY',
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Resource-Policy': 'same-origin',
      'Referrer-Policy': 'no-referrer',
      'Cache-Control': 'no-store',
    };
  }
}

interface Answer {
  readonly status: number;
  readonly headers?: OutgoingHttpHeaders;
  readonly content?: string | Uint8Array;
}

/** The answer is a stream, which has begun. */
const FOLLOWS = 'follows';

const UNKNOWN =
  'This browser is not known here. Open the address that the run has printed: it works once, and after that the run prints a new one.';

function found({ type, content }: Served): Answer {
  return { status: 200, headers: { 'Content-Type': type }, content };
}

function refusal(status: number, reason: string): Answer {
  return { status, headers: { 'Content-Type': 'text/plain; charset=utf-8' }, content: `${reason}\n` };
}
