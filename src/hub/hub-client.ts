import type * as Hub from '@huggingface/hub';
import { TailrayError } from '../engine/errors.js';
import { HubError } from './hub-error.js';
import type { HubSettings } from './hub-settings.js';

/**
 * Hugging Face's official client, loaded only where it is needed, behind the few questions that are asked of it. Its own
 * `downloadFileToCacheDir` is not used: it prints, tells no progress, checks no digest and files branches under another
 * commit than the Python library looks for.
 */
export interface RemoteFile {
  readonly path: string;
  readonly size: number;
  /** See hub-digest.ts. */
  readonly digest: string;
}

export class HubClient {
  readonly #hub: typeof Hub;
  readonly #settings: HubSettings;
  readonly #access: { readonly hubUrl: string; readonly fetch: typeof fetch };

  private constructor(hub: typeof Hub, settings: HubSettings) {
    this.#hub = hub;
    this.#settings = settings;
    this.#access = { hubUrl: settings.endpoint, fetch: authorizedFetch(settings) };
  }

  static async load(settings: HubSettings): Promise<HubClient> {
    return new HubClient(await import('@huggingface/hub'), settings);
  }

  /** The cache that all of Hugging Face's libraries share. */
  get cacheFolder(): string {
    return this.#hub.getHFHubCachePath();
  }

  /** Its folder in there. */
  repoFolder(repo: string): string {
    return this.#hub.getRepoFolderName({ type: 'model', name: repo });
  }

  /** The commit that a branch or tag is now. @throws HubError */
  async commitOf(repo: string, revision: string): Promise<string> {
    const place = `${repo}@${revision}`;
    const { sha } = await this.#ask(place, () =>
      this.#hub.modelInfo({ ...this.#access, name: repo, revision, additionalFields: ['sha'] }),
    );
    if (!/^[0-9a-f]{40}$/.test(sha)) throw new HubError('refused', `${place}: the hub names no commit.`);
    return sha;
  }

  /** @returns nothing where there is no such file @throws HubError */
  async fileInfo(repo: string, commit: string, path: string): Promise<RemoteFile | undefined> {
    const infos = await this.#ask(`${repo}: ${path}`, () =>
      this.#hub.pathsInfo({ ...this.#access, repo: this.#model(repo), revision: commit, paths: [path] }),
    );
    const info = infos.find((candidate) => candidate.path === path && candidate.type === 'file');
    if (!info) return undefined;
    const digest = info.lfs?.oid ?? info.oid;
    if (digest === undefined || !(info.lfs ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{40}$/).test(digest)) {
      throw new HubError(
        'refused',
        `${repo}: ${path}: the hub tells no digest, so its bytes can't be checked.`,
      );
    }
    return { path, digest, size: info.lfs?.size ?? info.size };
  }

  /** @throws HubError */
  async list(repo: string, commit: string): Promise<string[]> {
    return this.#ask(repo, async () => {
      const names: string[] = [];
      const entries = this.#hub.listFiles({
        ...this.#access,
        repo: this.#model(repo),
        revision: commit,
        recursive: true,
      });
      for await (const { type, path } of entries) if (type === 'file') names.push(path);
      return names;
    });
  }

  /** A file's bytes from `offset` on, by plain HTTP, which every mirror and proxy understands. @throws HubError */
  async stream(
    repo: string,
    commit: string,
    path: string,
    offset: number,
  ): Promise<ReadableStream<Uint8Array>> {
    const place = `${repo}: ${path}`;
    const blob = await this.#ask(place, () =>
      this.#hub.downloadFile({
        ...this.#access,
        repo: this.#model(repo),
        revision: commit,
        path,
        xet: false,
      }),
    );
    if (!blob) throw new HubError('missing', `${place}: the hub has no such file any more.`);
    return blob.slice(offset).stream();
  }

  #model(name: string) {
    return { type: 'model', name } as const;
  }

  async #ask<T>(place: string, question: () => Promise<T>): Promise<T> {
    try {
      return await question();
    } catch (cause) {
      if (cause instanceof TailrayError) throw cause;
      if (cause instanceof this.#hub.HubApiError) throw this.#refusal(place, cause);
      // what fetch throws; the rest is an answer that the client makes nothing of
      if (cause instanceof TypeError) throw this.#silence(place, cause);
      const text = cause instanceof Error ? cause.message : String(cause);
      throw new HubError(
        'refused',
        `${place}: ${this.#settings.endpoint} answers, but not like a hub (${text}).`,
        {
          cause,
        },
      );
    }
  }

  #silence(place: string, cause: TypeError): HubError {
    const reason = cause.cause instanceof Error ? cause.cause.message : cause.message;
    return new HubError(
      'unreachable',
      `${place}: ${this.#settings.endpoint} can't be reached (${reason}). HF_ENDPOINT names a mirror; --offline takes ` +
        'what the cache has.',
      { cause },
    );
  }

  #refusal(place: string, cause: Hub.HubApiError): HubError {
    const { statusCode: status, message } = cause;
    if (status === 401 || status === 403) {
      const token = this.#settings.token === undefined ? 'set HF_TOKEN' : 'HF_TOKEN does not open it';
      return new HubError(
        'denied',
        `${place}: ${this.#settings.endpoint} wants to know who asks (${status}). Either there is no such repository, ` +
          `or it is private or gated: ${token}, and accept its terms on its page if it has any.`,
        { cause },
      );
    }
    if (status === 404) return new HubError('missing', `${place}: the hub has none (${message}).`, { cause });
    return new HubError('refused', `${place}: the hub answered with status ${status} (${message}).`, {
      cause,
    });
  }
}

/**
 * The token goes to the hub only, not to the stores that it sends downloads to. (The client itself takes tokens of
 * huggingface.co only; a mirror's look otherwise.)
 */
function authorizedFetch({ endpoint, token }: HubSettings): typeof fetch {
  if (token === undefined) return fetch;
  const { origin } = new URL(endpoint);
  return (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const headers = new Headers(init?.headers);
    if (url.origin === origin) headers.set('authorization', `Bearer ${token}`);
    return fetch(input, { ...init, headers });
  };
}
