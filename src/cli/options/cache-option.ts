import { type Command, InvalidArgumentError, Option } from 'commander';
import { defaultCacheBytes, PictureCache } from '../../data/cache/picture-cache.js';
import { cacheFolder } from '../../storage/cache-folder.js';
import { formatByteSize, parseByteSize } from '../../text/byte-size.js';

/** For commands that show pictures to a network: where prepared pictures outlive the command. */
export interface CacheFlags {
  readonly cache?: string;
  readonly cacheSize?: number;
}

export function addCacheOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--cache <dir>',
        'folder that keeps prepared pictures for the next start, or none (default: the user’s, ~/.cache/tailray)',
      ).env('TAILRAY_PICTURE_CACHE'),
    )
    .option(
      '--cache-size <size>',
      `what that folder may take, e.g. 100GiB (default: ${formatByteSize(defaultCacheBytes)})`,
      size,
    );
}

/** @returns undefined for `none` */
export function pictureCache({ cache, cacheSize }: CacheFlags): PictureCache | undefined {
  if (cache === 'none') return undefined;
  return new PictureCache({
    folder: cache ?? cacheFolder(),
    limitBytes: cacheSize,
    onNote: (note) => process.stderr.write(`note: ${note}\n`),
  });
}

function size(text: string): number {
  const bytes = parseByteSize(text);
  if (bytes === undefined) throw new InvalidArgumentError('Expected a size such as 20GiB.');
  return bytes;
}
