import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeImage } from '../../data/images/decode.js';
import { ImageError } from '../../data/images/image-error.js';
import { ExplainError } from '../explain-error.js';
import { fileName, imagePath } from '../file-name.js';

/** Where a finding is in an image, drawn by somebody who knows: over the whole image, at any size. */
export interface Mask {
  readonly width: number;
  readonly height: number;
  /** [height, width]: 0 outside. */
  readonly inside: Uint8Array;
}

/** The mask of a finding in an image; null where there is none. */
export type MaskSource = (image: string, finding: string) => Promise<Mask | null>;

/**
 * Masks in files, as `synth --masks` writes them: FOLDER/<finding>/<image>, pictures that are black outside. A slash or another
 * sign that no folder's name may have is an underscore there.
 * @throws ExplainError where there is no such folder; the source, ImageError for a mask that cannot be read
 */
export async function maskFolder(folder: string): Promise<MaskSource> {
  const found = await stat(folder).catch(() => null);
  if (!found?.isDirectory()) {
    throw new ExplainError(`${folder}: there is no such folder of masks; synth --masks draws one.`);
  }
  return async (image, finding) => {
    try {
      const { width, height, pixels } = await decodeImage(
        join(folder, fileName(finding), `${imagePath(image)}.png`),
      );
      const inside = Uint8Array.from(pixels, (value) => Number(value > 0));
      return inside.includes(1) ? { width, height, inside } : null;
    } catch (error) {
      if (error instanceof ImageError && error.kind === 'missing') return null;
      throw error;
    }
  };
}
