import { hasNpzPicture, readNpzPicture } from '../npz/npz-pictures.js';
import { isNpz } from '../npz/npz-sheet.js';
import { resolveImage } from '../tables/image-path.js';
import { type DecodeOptions, decodeImage, type GreyImage, greyOf, readImageSize } from './decode.js';
import { ImageError } from './image-error.js';

/** From an identifier in a table to its picture, in a folder of image files or in a MedMNIST archive. */

/** A decoded picture, and what names it in messages: its file, or its identifier in the archive. */
export interface FoundPicture {
  readonly name: string;
  readonly picture: GreyImage;
}

/** @param root a folder, or a .npz file. @throws ImageError */
export async function readPicture(
  root: string,
  image: string,
  options: DecodeOptions = {},
): Promise<FoundPicture> {
  if (isNpz(root)) return { name: image, picture: greyOf(await readNpzPicture(root, image)) };
  const name = await resolveImage(root, image);
  return { name, picture: await decodeImage(name, options) };
}

/** The size of a picture, without decoding it where it is a file. @throws ImageError */
export async function pictureSize(root: string, image: string): Promise<{ width: number; height: number }> {
  return isNpz(root) ? readNpzPicture(root, image) : readImageSize(await resolveImage(root, image));
}

/** Whether there is such a picture, readable or not. */
export async function hasPicture(root: string, image: string): Promise<boolean> {
  if (isNpz(root)) return hasNpzPicture(root, image);
  try {
    await resolveImage(root, image);
    return true;
  } catch (error) {
    if (error instanceof ImageError) return error.kind !== 'missing';
    throw error;
  }
}
