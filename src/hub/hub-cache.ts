import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, readlink, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { isCommit } from './hub-address.js';
import { fileDigest } from './hub-digest.js';
import { HubError } from './hub-error.js';

/** As Hugging Face's libraries call contents on their way. */
const INCOMPLETE = '.incomplete';

/** One that nobody has written to for so long. */
const ABANDONED_MS = 30 * 60_000;

/**
 * A repository in the cache that all of Hugging Face's libraries share: contents in `blobs/` under their digests, and in
 * `snapshots/<commit>/` the files' names as links to them; `refs/` knows which commit a branch or tag was last.
 */
export class HubCache {
  /** @param folder the repository's, `…/models--owner--name` */
  constructor(readonly folder: string) {}

  /** The commit that a revision is, as far as the cache knows. */
  async commitOf(revision: string): Promise<string | undefined> {
    if (isCommit(revision)) return revision;
    const text = await readFile(join(this.folder, 'refs', revision), 'utf8').catch(() => '');
    return isCommit(text.trim()) ? text.trim() : undefined;
  }

  async remember(revision: string, commit: string): Promise<void> {
    if (isCommit(revision)) return;
    const path = join(this.folder, 'refs', revision);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, commit);
  }

  /**
   * Path of a file of a commit, if it is here. Its bytes are held against the digest that it is kept under, where it is
   * kept so: a disk fills up, a copy from another machine ends early.
   * @throws HubError 'damaged'
   */
  async find(commit: string, file: string): Promise<string | undefined> {
    const path = this.#pointer(commit, file);
    const found = await stat(path).catch(() => undefined);
    if (!found) return undefined;
    const target = await readlink(path).catch(() => undefined);
    const digest = target === undefined ? '' : basename(target);
    if (/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(digest) && (await fileDigest(path, digest)) !== digest) {
      throw new HubError(
        'damaged',
        `${path}: its bytes are not those that it was downloaded with (the digest is another). ` +
          `Delete ${join(this.folder, 'blobs', digest)} and this link, and fetch it again.`,
      );
    }
    return path;
  }

  /** Whether a content is here already, under another name or in another commit, and whole. */
  async hasBlob(digest: string): Promise<boolean> {
    return (await fileDigest(this.#blob(digest), digest).catch(() => undefined)) === digest;
  }

  /**
   * A file of its own to write a content into; of several processes each has one. What a process left behind that was
   * killed over the same content is removed.
   */
  async temporary(digest: string): Promise<string> {
    const folder = join(this.folder, 'blobs');
    await mkdir(folder, { recursive: true });
    for (const name of await readdir(folder)) {
      if (!name.startsWith(`${digest}.`) || !name.endsWith(INCOMPLETE)) continue;
      const touched = await stat(join(folder, name)).then(
        ({ mtimeMs }) => mtimeMs,
        () => Date.now(),
      );
      if (Date.now() - touched > ABANDONED_MS) await rm(join(folder, name), { force: true });
    }
    return `${this.#blob(digest)}.${randomUUID()}${INCOMPLETE}`;
  }

  /** Takes in a content that was written to `temporary` and checked. */
  async keep(temporary: string, digest: string): Promise<void> {
    await rename(temporary, this.#blob(digest));
  }

  /** Gives a content its name in a commit. @returns the path */
  async link(commit: string, file: string, digest: string): Promise<string> {
    const path = this.#pointer(commit, file);
    await mkdir(dirname(path), { recursive: true });
    await rm(path, { force: true });
    try {
      await symlink(relative(dirname(path), this.#blob(digest)), path);
    } catch (error) {
      // on Windows, links are a privilege: as in Hugging Face's libraries, the content itself takes the name
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code !== 'EPERM' && code !== 'EEXIST') throw error;
      if (code === 'EPERM') await rename(this.#blob(digest), path);
    }
    return path;
  }

  #pointer(commit: string, file: string): string {
    return join(this.folder, 'snapshots', commit, ...file.split('/'));
  }

  #blob(digest: string): string {
    return join(this.folder, 'blobs', digest);
  }
}
