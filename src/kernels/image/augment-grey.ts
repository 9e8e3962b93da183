import { ShapeError } from '../../engine/errors.js';
import { describe, sameShape, type Tensor } from '../../engine/graph/tensor.js';
import { changesShape, type PossibleChanges } from './change-table.js';
import { equaliseGrey } from './clahe.js';
import { moveGrey } from './move.js';
import { toneGrey } from './tone.js';

/**
 * Training pictures, changed on the device by a small table of draws: mirror, shift, scale and rotation in one
 * resampling; CLAHE; contrast and brightness, noise and black rectangles in one pass. Nothing here has a gradient.
 *
 * Kernels are traced for the changes that `possible` allows, whatever the table's rows hold. A picture whose row holds
 * none of a kernel's changes passes it bit for bit.
 *
 * @param grey [n, height, width] f32 in [0, 1]
 * @param changes u32 of `changesShape(possible, n)`, filled by `packChanges`
 * @returns [n, height, width] in [0, 1]
 */
export function augmentGrey(grey: Tensor, changes: Tensor, possible: PossibleChanges): Tensor {
  const [n = 0, ...size] = grey.shape;
  if (grey.dtype !== 'f32' || size.length !== 2) {
    throw new ShapeError(`augmentGrey: needs pictures [n, height, width] f32, got ${describe(grey)}`);
  }
  const shape = changesShape(possible, n);
  if (changes.dtype !== 'u32' || !sameShape(changes.shape, shape)) {
    throw new ShapeError(
      `augmentGrey: needs changes [${shape}] u32 for these settings, got ${describe(changes)}`,
    );
  }
  const { flip, affine, clahe, brightnessContrast, noise, dropout } = possible;
  let out = grey;
  if (flip !== false || affine !== false) out = moveGrey(out, changes);
  if (clahe !== false) out = equaliseGrey(out, changes, clahe.tiles);
  const toned = { tone: brightnessContrast !== false, noise: noise !== false, holes: dropout !== false };
  if (toned.tone || toned.noise || toned.holes) out = toneGrey(out, changes, toned);
  return out;
}
