import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished, vi } from 'vitest';
import { temporaryFolder } from '../data/temporary-folder.js';

/**
 * A hub on this machine: those of its questions that are asked, answered as huggingface.co does, large files by a
 * redirection to a store of another origin. What goes wrong on the way can be chosen.
 */
export class FakeHub {
  /** Commit → path → content. */
  readonly commits = new Map<string, Map<string, Uint8Array>>();
  readonly branches = new Map<string, string>();
  readonly requests: { readonly what: string; readonly headers: IncomingMessage['headers'] }[] = [];
  /** Whom the hub opens for; absent: everybody. */
  token: string | undefined;
  /** Called with each content that is about to be sent, from which byte on: what to send, and whether to hang up then. */
  onSend: (content: Uint8Array, path: string) => { send: Uint8Array; hangUp?: boolean } = (send) => ({
    send,
  });
  /** Changes the hub's answer of a file's digest. */
  tell: (digest: string) => string | undefined = (digest) => digest;
  readonly #servers: { hub: Server; store: Server };

  private constructor(readonly repo: string) {
    this.#servers = {
      hub: createServer((request, response) => void this.#answer(request, response)),
      store: createServer((request, response) => this.#store(request, response)),
    };
  }

  /** Running until the test is over, with the environment pointing to it and to an empty cache. */
  static async start(repo = 'timm/tiny'): Promise<FakeHub> {
    const hub = new FakeHub(repo);
    for (const server of Object.values(hub.#servers)) {
      await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
      onTestFinished(() => {
        server.closeAllConnections();
        server.close();
      });
    }
    vi.stubEnv('HF_ENDPOINT', hub.endpoint);
    vi.stubEnv('HF_HOME', await temporaryFolder());
    for (const name of ['HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'HF_TOKEN', 'HF_HUB_OFFLINE'])
      vi.stubEnv(name, undefined);
    onTestFinished(() => void vi.unstubAllEnvs());
    return hub;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#servers.hub.address() as AddressInfo).port}`;
  }

  get cache(): string {
    return `${process.env.HF_HOME}/hub/models--${this.repo.replace('/', '--')}`;
  }

  /** A commit on main. @returns its name */
  commit(files: Record<string, Uint8Array | string>): string {
    const name = createHash('sha1').update(`${this.commits.size}`).digest('hex');
    const contents = Object.entries(files).map(
      ([path, content]) => [path, Buffer.from(content as string)] as const,
    );
    this.commits.set(name, new Map(contents));
    this.branches.set('main', name);
    return name;
  }

  /** What was asked since the last call, such as `GET resolve model.safetensors`. */
  asked(): string[] {
    return this.requests.splice(0).map(({ what }) => what);
  }

  async stop(): Promise<void> {
    for (const server of Object.values(this.#servers)) {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const json = (status: number, body: unknown, headers = {}) =>
      response
        .writeHead(status, { 'content-type': 'application/json', ...headers })
        .end(JSON.stringify(body));
    const { pathname } = new URL(request.url ?? '', this.endpoint);
    const [, api, owner, name, kind, revision = '', rest = ''] =
      /^(\/api\/models)?\/([^/]+)\/([^/]+)\/(\w[\w-]*)\/([^/]+)(?:\/(.*))?$/.exec(pathname) ?? [];
    this.requests.push({ what: [request.method, kind, rest].join(' ').trim(), headers: request.headers });
    const allowed = this.token === undefined || request.headers.authorization === `Bearer ${this.token}`;
    // as huggingface.co, which does not say which of the two it is
    if (`${owner}/${name}` !== this.repo || !allowed) {
      return void json(401, { error: 'Invalid username or password.' }, { 'x-error-code': 'RepoNotFound' });
    }
    const wanted = decodeURIComponent(revision);
    const commit = this.branches.get(wanted) ?? wanted;
    const files = this.commits.get(commit);
    if (!files)
      return void json(404, { error: `Invalid rev id: ${wanted}` }, { 'x-error-code': 'RevisionNotFound' });
    if (api && kind === 'revision') return void json(200, { _id: '1', id: this.repo, sha: commit });
    if (api && kind === 'paths-info') {
      let body = '';
      for await (const chunk of request) body += chunk;
      const { paths } = JSON.parse(body) as { paths: string[] };
      return void json(
        200,
        paths.flatMap((path) => this.#entry(path, files) ?? []),
      );
    }
    if (api && kind === 'tree')
      return void json(
        200,
        [...files.keys()].flatMap((path) => this.#entry(path, files) ?? []),
      );
    const content = files.get(rest);
    if (kind !== 'resolve' || !content) {
      return void json(404, { error: 'Entry not found' }, { 'x-error-code': 'EntryNotFound' });
    }
    if (!isLarge(rest)) return this.#send(request, response, rest, content);
    const { port } = this.#servers.store.address() as AddressInfo;
    const headers = {
      location: `http://127.0.0.1:${port}/${commit}/${rest}`,
      'x-linked-size': content.length,
    };
    response.writeHead(302, headers).end();
  }

  #store(request: IncomingMessage, response: ServerResponse): void {
    const [, commit = '', ...path] = (request.url ?? '').split('/');
    const content = this.commits.get(commit)?.get(path.join('/')) ?? new Uint8Array();
    const range = request.headers.range ?? '';
    this.requests.push({ what: `store ${path.join('/')} ${range}`.trim(), headers: request.headers });
    this.#send(request, response, path.join('/'), content);
  }

  #send(request: IncomingMessage, response: ServerResponse, path: string, content: Uint8Array): void {
    const [, from = '0', to = ''] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const end = to === '' ? content.length : Math.min(content.length, Number(to) + 1);
    const part = content.subarray(Number(from), end);
    const probe = part.length <= 1 && content.length > 1;
    const { send, hangUp } = probe ? { send: part, hangUp: false } : this.onSend(part, path);
    const headers = { 'content-length': part.length, etag: '"of the store"' };
    if (request.headers.range === undefined) response.writeHead(200, headers);
    else
      response.writeHead(206, { ...headers, 'content-range': `bytes ${from}-${end - 1}/${content.length}` });
    response.write(send, () => (hangUp ? response.destroy() : response.end()));
  }

  #entry(path: string, files: ReadonlyMap<string, Uint8Array>) {
    const content = files.get(path);
    if (!content) return undefined;
    const size = content.length;
    const oid = createHash('sha1').update(`blob ${size}\0`).update(content).digest('hex');
    if (!isLarge(path)) return { type: 'file', path, size, oid: this.tell(oid) };
    const lfs = { oid: this.tell(sha256(content)), size, pointerSize: 134 };
    return { type: 'file', path, size, oid: createHash('sha1').update('its pointer').digest('hex'), lfs };
  }
}

export function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

function isLarge(path: string): boolean {
  return /\.(safetensors|bin)$/.test(path);
}
