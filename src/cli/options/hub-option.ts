import type { Command } from 'commander';
import type { HubOptions } from '../../hub/hub-settings.js';
import type { ProgressLine } from '../training-display.js';

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

/** How a hub is asked, and where the progress of a download is shown. */
export function hubOptions({ offline }: HubFlags, progress: ProgressLine): HubOptions {
  const mebibytes = (bytes: number) => Math.round(bytes / 2 ** 20);
  return {
    offline,
    onProgress: ({ file, done, total }) =>
      progress.show(`fetching ${file}`, mebibytes(done), mebibytes(total), () => 'MiB'),
  };
}
