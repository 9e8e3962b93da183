import { HubError } from './hub-error.js';

/**
 * `hf-hub:owner/name`, `hf-hub:owner/name@revision`, `hf-hub:owner/name@revision:file`: a repository of models on a
 * Hugging Face hub, as timm and open_clip write it, with a branch, tag or commit, and one of its files.
 */
export interface HubAddress {
  /** `owner/name` */
  readonly repo: string;
  /** Default `main`. */
  readonly revision: string;
  /** Its path in the repository; absent where the repository's own choice is meant. */
  readonly file?: string | undefined;
}

const SCHEME = 'hf-hub:';
const FORM = 'hf-hub:owner/name, or hf-hub:owner/name@revision:file';
const NAME = String.raw`[A-Za-z0-9][\w.-]*`;
const ADDRESS = new RegExp(`^${SCHEME}(${NAME}/${NAME})(?:@([^:]+))?(?::(.+))?$`);

/** Whether a text is meant as one, well-formed or not; any other is a path. */
export function isHubAddress(text: string): boolean {
  return text.startsWith(SCHEME);
}

/** @throws HubError 'address' */
export function parseHubAddress(text: string): HubAddress {
  const [, repo, revision = 'main', file] = ADDRESS.exec(text) ?? [];
  if (repo === undefined)
    throw new HubError('address', `${text}: no address of a repository; expected ${FORM}.`);
  // both become paths in the cache
  for (const path of [revision, ...(file === undefined ? [] : [file])]) {
    if (isInside(path)) continue;
    throw new HubError('address', `${text}: "${path}" is no path inside a repository.`);
  }
  return { repo, revision, file };
}

export function formatHubAddress({ repo, revision, file }: HubAddress): string {
  return `${SCHEME}${repo}${revision === 'main' ? '' : `@${revision}`}${file === undefined ? '' : `:${file}`}`;
}

/** A commit says for ever what is meant; a branch or tag may move. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/** Whether a path stays below the folder it is joined to, on every system. */
export function isInside(path: string): boolean {
  return path
    .split('/')
    .every((part) => part !== '' && part !== '.' && part !== '..' && !/[\\:\0]/.test(part));
}
