import { readFileSync } from 'node:fs';

/** The version of tailray that is running, as in its package.json. */
export const tailrayVersion: string = readVersion();

function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { version: string };
  return version;
}
