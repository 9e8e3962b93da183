import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * The per-user folder for what can be made or fetched again: TAILRAY_CACHE, else XDG_CACHE_HOME/tailray, else
 * ~/.cache/tailray. It may not exist yet.
 */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  if (environment.TAILRAY_CACHE) return environment.TAILRAY_CACHE;
  return join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'tailray');
}
