import type { DeviceTraits } from '../../../engine/graph/tensor.js';
import type { Gather } from '../conv-gather.js';
import { placesOf, tilingOf, type WinogradForm } from './transforms.js';
import { gridOf, TILE_MULTIPLICATIONS } from './winograd-tile.js';

/** How long the kernels of this folder should take, beside the multiplications of the definition. */

/** Workgroups of 256 lanes and 16 KiB, as these are, that a processor of a GPU holds at once. */
const GROUPS_A_PROCESSOR = 4;
/** Multiplications that a processor could have done while a byte comes from memory, and while a dispatch is prepared. */
const BYTE = 24;
const DISPATCH = 400_000;
/** Of what a processor does in the loop over the depth, the part that is multiplications. */
const LOOP_SPEED = 0.78;
/** A workgroup's beginning and end, as if its depth were more by this. */
const ENDS = 14;

/**
 * Useful multiplications a second of the kernel for GPUs, relative to the most that a device could do of them without
 * Winograd's saving: above 1 where it is faster than any other kernel can be.
 */
export function speedOfTiles(
  gather: Gather,
  { residentGroups }: Pick<DeviceTraits, 'residentGroups'>,
): number {
  const { image, channels, outH, outW } = gather;
  const processors = Math.max(1, Math.round(residentGroups / GROUPS_A_PROCESSOR));
  const [across, down] = gridOf(gather);
  const groups = Math.ceil((across * down) / processors);
  // A single workgroup does not hide its own latencies.
  const busy = Math.min(groups, GROUPS_A_PROCESSOR) / (Math.min(groups, GROUPS_A_PROCESSOR) + 0.2);
  const computing = (groups * (image.c + ENDS) * TILE_MULTIPLICATIONS) / LOOP_SPEED / busy;
  const pixels = image.n * outH * outW;
  const moved = 4 * (image.n * image.h * image.w * image.c + pixels * channels);
  // The weights are read, written transformed, and read again.
  const weights = 4 * (9 + 16 + 16) * image.c * channels;
  const time = Math.max(computing, (moved * BYTE) / processors) + (weights * BYTE) / processors + DISPATCH;
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
  // Transformed inputs and weights are written, copied and read, products written and read.
  const moved = 4 * places * (tiles * (3 * image.c + 2 * channels) + 3 * image.c * channels);
  const multiplications = places * tiles * image.c * channels;
  return (multiplications + moved * byte) / (9 * image.n * outH * outW * image.c * channels);
}
