import { realpathSync, type Stats, statSync } from 'node:fs';
import { basename, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { irregularKind } from '../../storage/regular-file.js';
import { ImageError } from '../images/image-error.js';

/**
 * From an identifier in a table to a file under the image folder, and never outside it: tables come from other
 * people, and "../../etc/passwd" or a link planted in the folder must not be opened.
 */

const extensions = ['', '.png', '.jpg', '.jpeg', '.dcm', '.PNG', '.JPG', '.JPEG', '.DCM'];

/*
 * Synchronous inside: this is asked for every picture of an epoch, in threads that have nothing else to do, and a look at
 * the file system takes microseconds, which a promise makes a tenth of a millisecond of.
 */

/**
 * The file of an image identifier (errors do not name `root`, since their reasons stand in predictions.csv): as written, with a common extension, under `images/`, or, for identifiers that
 * start with the data set's own folder name (CheXpert's `CheXpert-v1.0-small/train/…`), without that first part.
 * @throws ImageError 'unsafePath' when the identifier or a link leads outside `root`; 'missing' when there is no file
 */
export async function resolveImage(root: string, id: string): Promise<string> {
  if (id === '' || id.includes('\0') || isAbsolute(id) || /^[a-z]:|^\\/i.test(id)) {
    throw new ImageError('unsafePath', id, 'must be a path relative to the image folder.');
  }
  const base = resolve(root);
  const parts = id.split(/[/\\]/);
  if (parts.includes('..')) throw outside(id);
  const spellings = [id.replaceAll('\\', '/')];
  if (parts.length > 1 && parts[0] === basename(base)) spellings.push(parts.slice(1).join('/'));
  for (const folder of ['', 'images']) {
    for (const spelling of spellings) {
      for (const extension of extensions) {
        const path = join(base, folder, spelling + extension);
        const found = lookAt(path);
        if (found === null || found.isDirectory()) continue;
        refuseEscape(base, path, id);
        const kind = irregularKind(found);
        if (kind !== null) {
          throw new ImageError('unreadable', id, `is ${kind}, not a regular file; it is not opened.`);
        }
        return path;
      }
    }
  }
  throw new ImageError(
    'missing',
    id,
    'no such image in the image folder (nor with .png, .jpg, .jpeg, .dcm, nor in images/).',
  );
}

/** A link is fine while it stays inside the folder; the folder itself and its `images/` may be links themselves. */
function refuseEscape(base: string, path: string, id: string): void {
  const real = realpathSync.native(path);
  for (const allowed of [base, join(base, 'images')]) {
    const target = realOf(allowed);
    if (target !== null && isInside(target, real)) return;
  }
  throw outside(id);
}

function lookAt(path: string): Stats | null {
  try {
    return statSync(path, { throwIfNoEntry: false }) ?? null;
  } catch {
    return null;
  }
}

function realOf(path: string): string | null {
  try {
    return realpathSync.native(path);
  } catch {
    return null;
  }
}

function outside(id: string): ImageError {
  return new ImageError('unsafePath', id, 'leads outside the image folder; it is not opened.');
}

function isInside(base: string, path: string): boolean {
  const way = relative(base, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
