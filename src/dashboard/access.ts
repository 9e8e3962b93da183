import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/**
 * Who may see a run and steer it. The address that is printed holds a token, which is worth one session: the first
 * browser that opens it gets a cookie in exchange, and a new token is made for the next. Sessions are kept as digests
 * alone, so that a run that is resumed knows the browsers of before, and a reader of its folder gains nothing.
 */

/** Sessions that are remembered; the oldest makes room. */
const MOST_SESSIONS = 32;
const COOKIE = 'session';
/** Seconds after which a browser forgets its session. */
const REMEMBERED = 7 * 24 * 3600;

/** The header that a request must bring which changes something. A page from elsewhere can't send it. */
export const REQUEST_HEADER = 'x-tailray-request';

export interface Session {
  /** The value that `REQUEST_HEADER` must have. */
  readonly requestKey: string;
}

export class Access {
  #token = secret();
  readonly #sessions: string[];

  /** @param sessions digests of earlier sessions */
  constructor(sessions: readonly string[] = []) {
    this.#sessions = [...sessions].slice(-MOST_SESSIONS);
  }

  /** What opens the next session, once. */
  get token(): string {
    return this.#token;
  }

  /** Digests of the sessions, for the next process of the run. */
  get sessions(): readonly string[] {
    return this.#sessions;
  }

  /** @param path below which the cookie is sent @returns the cookie of a new session; null where the token is not the one */
  exchange(token: string, path: string): string | null {
    if (!equal(token, this.#token)) return null;
    this.#token = secret();
    const session = secret();
    this.#sessions.push(digest(session));
    if (this.#sessions.length > MOST_SESSIONS) this.#sessions.shift();
    return `${COOKIE}=${session}; Path=${path}; Max-Age=${REMEMBERED}; HttpOnly; SameSite=Strict`;
  }

  /** The session that a request's cookie names; null where there is none such. */
  session({ cookie = '' }: Pick<IncomingHttpHeaders, 'cookie'>): Session | null {
    const [, id] = new RegExp(`(?:^|;\\s*)${COOKIE}=([\\w-]+)(?:;|$)`).exec(cookie) ?? [];
    if (id === undefined) return null;
    const given = digest(id);
    // each is compared, so that the time says nothing of where it lies
    const known = this.#sessions.filter((session) => equal(session, given)).length > 0;
    return known ? { requestKey: createHmac('sha256', id).update(REQUEST_HEADER).digest('base64url') } : null;
  }
}

/** Whether a request that changes something comes from the session's own page. */
export function isOwnRequest(headers: IncomingHttpHeaders, { requestKey }: Session): boolean {
  return headers.origin !== undefined && equal(String(headers[REQUEST_HEADER] ?? ''), requestKey);
}

/** Names of this machine by which a browser may ask. Any port: a tunnel may end at another one. */
const OWN_HOST = /^(?:127\.0\.0\.1|localhost)(?::\d{1,5})?$/i;

/**
 * Why a request is none of this machine's own pages; null where it may be one. Another name in `Host` is a page whose name
 * was made to point here; another `Origin` is a page of another server, be it on this machine.
 */
export function foreign(headers: IncomingHttpHeaders): string | null {
  const { host = '', origin } = headers;
  if (!OWN_HOST.test(host)) return 'This server answers to 127.0.0.1 and localhost only.';
  if (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`) {
    return 'A page from elsewhere may ask nothing here.';
  }
  return null;
}

function secret(): string {
  return randomBytes(32).toString('base64url');
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** In a time that says nothing of where two texts differ. */
function equal(a: string, b: string): boolean {
  const bytes = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(bytes(a), bytes(b));
}
