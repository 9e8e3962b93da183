import type { DeviceTraits } from '../../../engine/graph/tensor.js';
import {
  BYTE_FROM_MEMORY,
  busyFraction,
  DISPATCH,
  GROUPS_A_PROCESSOR,
  processorsOf,
} from '../../product/tile-plan.js';
import type { Gather } from '../conv-gather.js';
import { placesOf, tilingOf, type WinogradForm } from './transforms.js';
import { depthOf, gridOf, TILE_LANES, TILE_MULTIPLICATIONS } from './winograd-tile.js';

/** How long the kernels of this folder should take, beside those that multiply as often as the definition. */

/** Of a processor's time in the loop over the depth the part that is multiplications, by the machine code for RDNA 3. */
const LOOP_SPEED = 0.78;
/** A workgroup's beginning and end, as if its depth were more by this. */
const ENDS = 14;

/**
 * Useful multiplications a second of the kernel for GPUs, relative to the most that a device could do of them without
 * Winograd's saving: above 1 where it is faster than any other kernel can be.
 */
export function speedOfTiles(gather: Gather, traits: DeviceTraits): number {
  const { image, channels, outH, outW } = gather;
  const processors = processorsOf(traits);
  const [across, down] = gridOf(gather);
  const groups = Math.ceil((across * down) / processors);
  const lanes = Math.min(groups, GROUPS_A_PROCESSOR) * TILE_LANES;
  const busy = busyFraction(lanes);
  const computing = (groups * (depthOf(gather) + ENDS) * TILE_MULTIPLICATIONS) / LOOP_SPEED / busy;
  const pixels = image.n * outH * outW;
  const moved = 4 * (image.n * image.h * image.w * image.c + pixels * channels);
  // The weights are read, written transformed, and read again.
  const weights = 4 * (9 + 16 + 16) * image.c * channels;
  const time =
    Math.max(computing, (moved * BYTE_FROM_MEMORY) / processors) +
    (weights * BYTE_FROM_MEMORY) / processors +
    DISPATCH;
  return (pixels * image.c * channels * 9) / processors / time;
}

/**
 * Time of the steps on a software adapter relative to the kernel of conv-lanes.ts, which multiplies as fast.
 *
 * Measured on lavapipe and on SwiftShader; the former multiplies so much faster that its memory counts for more.
 */
export function timeOnLanes(
  form: WinogradForm,
  gather: Gather,
  { adapter }: Pick<DeviceTraits, 'adapter'>,
): number {
  const { image, channels, outH, outW } = gather;
  const { tiles } = tilingOf(gather, form);
  const byte = adapter === 'swiftshader' ? 2 : 4.5;
  const places = placesOf(form);
  // Transformed inputs are written, copied and read, products written and read, weights written and copied.
  const moved = 4 * places * (tiles * (3 * image.c + 2 * channels) + 2 * image.c * channels);
  const multiplications = places * tiles * image.c * channels;
  return (multiplications + moved * byte) / (9 * image.n * outH * outW * image.c * channels);
}
