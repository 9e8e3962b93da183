import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { writeFailure } from '../../storage/atomic-file.js';
import { type DecodeOptions, decodeImageBytes, defaultPixelLimit } from '../images/decode.js';
import { type PreparedImage, prepareImage, preparePicture } from '../images/prepare.js';
import type { Preprocessing } from '../images/preprocessing.js';
import { resolveImage } from '../tables/image-path.js';
import { readCached, writeCached } from './cache-files.js';
import { entryName, mostEntryBytes, packEntry, unpackEntry } from './entry.js';
import { readSource, stampOf } from './source-file.js';

/**
 * From an identifier to the prepared picture: out of the cache folder, or decoded, prepared and left there. Runs in a
 * thread that has nothing else to do.
 *
 * A file's stamp leads to its content's digest, and the digest with the preparation to the entry. Files that can't be
 * used leave nothing behind: they are few, and the next start looks at them anew.
 */

export interface PictureJob {
  /** Folder that identifiers are relative to. */
  readonly root: string;
  readonly image: string;
  readonly preprocessing: Preprocessing;
  readonly decoding: DecodeOptions;
  readonly cache: CacheUse | null;
}

export interface CacheUse {
  readonly folder: string;
  /** Whether there is room for more. */
  readonly mayWrite: boolean;
}

export interface MadePicture extends PreparedImage {
  /** Whether the picture's file was left alone. */
  readonly cached: boolean;
  /** Bytes that were added to the cache. */
  readonly written: number;
  /** Why the cache can't be written, in words; null where it can. */
  readonly refused: string | null;
}

/** @throws ImageError */
export async function makePicture({
  root,
  image,
  preprocessing,
  decoding,
  cache,
}: PictureJob): Promise<MadePicture> {
  const path = await resolveImage(root, image);
  const plain = { cached: false, written: 0, refused: null };
  if (cache === null) return { ...(await prepareImage(path, preprocessing, decoding)), ...plain };

  const { folder, mayWrite } = cache;
  const stampName = sha256(resolve(path));
  const known = digestByStamp(folder, stampName, path);
  const found = known === null ? null : findEntry(folder, known, preprocessing, decoding);
  if (found !== null) return { ...found, ...plain, cached: true };

  const { bytes, digest, stamp } = await readSource(path);
  // not by its stamp, but by its content: a copy, or a file that was only touched
  const same = digest === known ? null : findEntry(folder, digest, preprocessing, decoding);
  const made = same ?? preparePicture(await decodeImageBytes(bytes, path, decoding), path, preprocessing);
  if (!mayWrite) return { ...made, ...plain };
  try {
    let written = 0;
    if (same === null) {
      const name = nameOf(digest, preprocessing, decoding);
      written += writeCached(folder, 'entries', name, packEntry(name, preprocessing, made));
    }
    if (stamp !== null) {
      const text = Buffer.from(`${stamp} ${digest}\n`);
      written += writeCached(folder, 'stamps', stampName, [text]);
    }
    return { ...made, ...plain, written };
  } catch (error) {
    return { ...made, ...plain, refused: writeFailure(error) };
  }
}

/** What was noted of the file, if it still has the same stamp. */
function digestByStamp(folder: string, name: string, path: string): string | null {
  const noted = readCached(folder, 'stamps', name, 500);
  if (noted === null) return null;
  const [, stamp, digest] = /^([\d:-]+) ([\da-f]{64})\n$/.exec(Buffer.from(noted).toString('latin1')) ?? [];
  return stamp !== undefined && stamp === stampOf(path) ? (digest ?? null) : null;
}

function findEntry(
  folder: string,
  digest: string,
  preprocessing: Preprocessing,
  decoding: DecodeOptions,
): PreparedImage | null {
  const name = nameOf(digest, preprocessing, decoding);
  const bytes = readCached(folder, 'entries', name, mostEntryBytes(preprocessing));
  const found = bytes && unpackEntry(bytes, name, preprocessing);
  // a damaged file that somebody took as far as it decodes is still an error for others
  return found && (found.damage === null || decoding.lenient === true) ? found : null;
}

function nameOf(digest: string, preprocessing: Preprocessing, { pixelLimit }: DecodeOptions): string {
  return entryName(digest, preprocessing, pixelLimit ?? defaultPixelLimit);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
