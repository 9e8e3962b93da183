import { join } from 'node:path';
import { downloadTo } from './download.js';
import { isCommit, isInside } from './hub-address.js';
import { HubCache } from './hub-cache.js';
import { HubClient, type RemoteFile } from './hub-client.js';
import { HubError } from './hub-error.js';
import { type HubOptions, type HubSettings, hubSettings } from './hub-settings.js';

/**
 * One revision of a repository of models: its files, from the cache where they are there, else through the hub's
 * official client. Of a revision that moves (a branch, a tag), all files are of the same commit.
 */
export class HubRepository {
  readonly #settings: HubSettings;
  readonly #client: HubClient;
  readonly #cache: HubCache;
  readonly #cacheFolder: string;
  readonly #onProgress: HubOptions['onProgress'];
  readonly #notes: string[] = [];
  #commit: Promise<string> | undefined;

  private constructor(
    readonly repo: string,
    readonly revision: string,
    parts: { settings: HubSettings; client: HubClient; options: HubOptions },
  ) {
    const { settings, client, options } = parts;
    this.#settings = settings;
    this.#client = client;
    this.#cacheFolder = client.cacheFolder;
    this.#cache = new HubCache(join(client.cacheFolder, client.repoFolder(repo)));
    this.#onProgress = options.onProgress;
  }

  /** Asks nobody for anything yet. @throws HubError 'address' for settings that are none */
  static async open(
    { repo, revision }: { readonly repo: string; readonly revision: string },
    options: HubOptions = {},
  ): Promise<HubRepository> {
    const settings = hubSettings(options);
    const client = await HubClient.load(settings);
    return new HubRepository(repo, revision, { settings, client, options });
  }

  /** What a person should know about where the files came from, a sentence each. */
  get notes(): readonly string[] {
    return this.#notes;
  }

  /** The commit that all files are of. @throws HubError */
  commit(): Promise<string> {
    this.#commit ??= this.#findCommit();
    return this.#commit;
  }

  /** Path of a file in the cache; it is there afterwards. @throws HubError, also 'missing' where there is no such file */
  async file(name: string): Promise<string> {
    const path = await this.optional(name);
    if (path !== undefined) return path;
    if (this.#settings.offline) throw this.#offline(name);
    throw new HubError(
      'missing',
      `${this.#place(name)}: there is no such file. There are ${await this.#listing()}.`,
    );
  }

  /** The same, or nothing where the repository, or offline the cache, has no such file. @throws HubError */
  async optional(name: string): Promise<string | undefined> {
    if (!isInside(name)) throw new HubError('address', `"${name}" is no path inside a repository.`);
    const commit = await this.commit();
    const cached = await this.#cache.find(commit, name);
    if (cached !== undefined || this.#settings.offline) return cached;
    const remote = await this.#client.fileInfo(this.repo, commit, name);
    return remote && this.#fetch(commit, remote);
  }

  /** Paths of all files. @throws HubError */
  async list(): Promise<string[]> {
    return this.#settings.offline ? [] : this.#client.list(this.repo, await this.commit());
  }

  async #findCommit(): Promise<string> {
    if (isCommit(this.revision)) return this.revision;
    const cached = await this.#cache.commitOf(this.revision);
    if (this.#settings.offline) {
      if (cached === undefined) throw this.#offline();
      return cached;
    }
    try {
      const commit = await this.#client.commitOf(this.repo, this.revision);
      await this.#cache.remember(this.revision, commit);
      return commit;
    } catch (error) {
      if (cached === undefined || !(error instanceof HubError) || error.kind !== 'unreachable') throw error;
      this.#notes.push(
        `${this.#settings.endpoint} can't be reached: ${this.repo} is taken as ${this.revision} was last seen, commit ${cached}.`,
      );
      return cached;
    }
  }

  async #fetch(commit: string, { path: name, size, digest }: RemoteFile): Promise<string> {
    if (!(await this.#cache.hasBlob(digest))) {
      const temporary = await this.#cache.temporary(digest);
      this.#onProgress?.({ file: name, done: 0, total: size });
      await downloadTo(temporary, {
        place: this.#place(name),
        size,
        digest,
        stream: (offset) => this.#client.stream(this.repo, commit, name, offset),
        onProgress: (done) => this.#onProgress?.({ file: name, done, total: size }),
      });
      await this.#cache.keep(temporary, digest);
    }
    return this.#cache.link(commit, name, digest);
  }

  #place(name?: string): string {
    return `${this.repo}@${this.revision}${name === undefined ? '' : `: ${name}`}`;
  }

  #offline(name?: string): HubError {
    const revision = this.revision === 'main' ? '' : ` --revision ${this.revision}`;
    return new HubError(
      'offline',
      `${this.#place(name)} is not in the cache ${this.#cacheFolder}, and nothing may be downloaded (--offline or ` +
        'HF_HUB_OFFLINE). Where there is a network, run the same without that, or:\n' +
        `  hf download ${this.repo}${revision} ${name ?? 'config.json model.safetensors'}\n` +
        `and copy the folder ${this.#cache.folder} from there.`,
    );
  }

  async #listing(): Promise<string> {
    const names = await this.list();
    return names.length > 20
      ? `${names.slice(0, 20).join(', ')} and ${names.length - 20} more`
      : names.join(', ');
  }
}
