import type { Command } from 'commander';
import type { HubOptions } from '../hub/hub-settings.js';
import { ProgressLine } from './training-display.js';

/** For commands that may be given `hf-hub:owner/name`: whether to download, and the progress of it. */
export interface HubFlags {
  readonly offline?: boolean;
  readonly quiet?: boolean;
}

export function addHubOption(command: Command): Command {
  return command.option(
    '--offline',
    'download nothing: hf-hub:… must be in the cache (the same as HF_HUB_OFFLINE=1)',
  );
}

/** What `fetch` gives, with a progress bar while it downloads. */
export async function fetching<T>(
  { offline, quiet = false }: HubFlags,
  fetch: (hub: HubOptions) => Promise<T>,
): Promise<T> {
  const progress = new ProgressLine(quiet);
  const mebibytes = (bytes: number) => Math.round(bytes / 2 ** 20);
  try {
    return await fetch({
      offline,
      onProgress: ({ file, done, total }) =>
        progress.show(`fetching ${file}`, mebibytes(done), mebibytes(total), () => 'MiB'),
    });
  } finally {
    progress.stop();
  }
}
