import { readPicture } from '../../data/images/image-source.js';
import { preparePicture } from '../../data/images/prepare.js';
import type { Preprocessing } from '../../data/images/preprocessing.js';
import type { MapSize } from '../maps/coarse-maps.js';
import { shownSize } from './overlay.js';

/** A radiograph to be looked at: in the window that the network has, in the proportions of its file. */
export interface ShownPicture {
  /** [height, width], 8 bits. */
  readonly grey: Uint8Array;
  readonly size: MapSize;
}

/** @param root folder that the identifier is relative to, or an archive @throws ImageError */
export async function readShownPicture(
  root: string,
  image: string,
  { preprocessing, lenient = false }: { preprocessing: Preprocessing; lenient?: boolean | undefined },
): Promise<ShownPicture> {
  const { name, picture } = await readPicture(root, image, { lenient });
  const [height, width] = shownSize(picture.width, picture.height);
  const { grey } = preparePicture(picture, name, { ...preprocessing, size: [height, width], bits: 8 });
  return { grey: Uint8Array.from(grey), size: [height, width] };
}
