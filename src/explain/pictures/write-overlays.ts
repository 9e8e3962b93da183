import { mkdir, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { encodeGreyPng, encodeRgbPng } from '../../data/images/encode-png.js';
import { StorageError, storageError, writeAtomically } from '../../storage/atomic-file.js';
import { decimals } from '../../text/numbers.js';
import type { Checkpoint } from '../../weights/checkpoint.js';
import { npyBytes } from '../../weights/npy-file.js';
import type { ExplainedImages } from '../explain-images.js';
import { fileName, imagePath } from '../file-name.js';
import type { MaskSource } from '../pointing/mask.js';
import { drawOverlay } from './overlay.js';
import { readShownPicture, type ShownPicture } from './shown-picture.js';

/** What of a map is written beside its overlay: the method's own values as NumPy's float32, or 0…1 as a 16-bit PNG. */
export const RAW_FORMATS = ['npy', 'png'] as const;
export type RawFormat = (typeof RAW_FORMATS)[number];

export interface WriteOverlaysOptions {
  readonly checkpoint: Pick<Checkpoint, 'classes' | 'preprocessing'>;
  /** Folder that the images' identifiers are relative to, or an archive. */
  readonly imageRoot: string;
  /** Folder to write to; made if it isn't there. */
  readonly out: string;
  readonly raw?: RawFormat | undefined;
  /** Drawn as outlines. */
  readonly masks?: MaskSource | undefined;
  /** Takes damaged images as far as they decode. */
  readonly lenient?: boolean | undefined;
  /** Files that were written before, which get no second content. */
  readonly taken?: Set<string> | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** @throws StorageError where a folder has files already; writes nothing */
export async function requireEmptyFolder(folder: string): Promise<void> {
  const entries = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw storageError(folder, error);
  });
  if (entries.length === 0) return;
  throw new StorageError(`${folder} is not empty: write over it with --force, or choose another --out.`);
}

/**
 * An overlay for each map: OUT/<image>.<class>.<method>.png, in folders as the images are.
 * @returns the overlays' paths, row by row @throws ImageError, StorageError
 */
export async function writeOverlays(
  { rows, maps, method }: ExplainedImages,
  { checkpoint, imageRoot, out, raw, masks, lenient, taken = new Set(), onProgress }: WriteOverlaysOptions,
): Promise<string[]> {
  const { classes, preprocessing } = checkpoint;
  const written: string[] = [];
  // classes of one image follow each other
  let shown: { readonly image: string; readonly picture: ShownPicture } | undefined;
  for (const [i, { image, column, probability }] of rows.entries()) {
    const name = classes[column] ?? '';
    if (shown?.image !== image) {
      shown = { image, picture: await readShownPicture(imageRoot, image, { preprocessing, lenient }) };
    }
    const { grey, size } = shown.picture;
    const overlay = drawOverlay({
      grey,
      size,
      map: maps.stretched(i, size),
      lines: [`${name} ${decimals(probability, 3)}`, method],
      mask: await masks?.(image, name),
    });
    const stem = freeName(join(out, `${imagePath(image)}.${fileName(name)}.${method}`), taken);
    await mkdir(dirname(stem), { recursive: true }).catch((error: unknown) => {
      throw storageError(dirname(stem), error);
    });
    await writeAtomically(`${stem}.png`, encodeRgbPng(overlay.pixels, overlay.width, overlay.height));
    const [height, width] = maps.imageSize;
    if (raw === 'npy') await writeAtomically(`${stem}.npy`, npyBytes([height, width], maps.raw(i)));
    if (raw === 'png') {
      const shades = Uint16Array.from(maps.stretched(i), (value) => Math.round(65535 * value));
      await writeAtomically(`${stem}.raw.png`, encodeGreyPng(shades, width, height));
    }
    written.push(`${stem}.png`);
    onProgress?.(i + 1, rows.length);
  }
  return written;
}

function freeName(stem: string, taken: Set<string>): string {
  let free = stem;
  for (let number = 2; taken.has(free); number++) free = `${stem}-${number}`;
  taken.add(free);
  return free;
}
