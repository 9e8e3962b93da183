import type { Device } from '../engine/device.js';
import { type CreateClipOptions, createClip } from './clip.js';
import type { ImageTextModel } from './image-text-model.js';

export type OpenModelOptions = Omit<CreateClipOptions, 'weights' | 'config' | 'seed'>;

/**
 * Opens the model at a path, whichever kind it is, frozen.
 * @param path of a CLIP, as for `createClip`
 * @throws as `createClip`
 */
export async function openImageTextModel(
  device: Device,
  path: string,
  options: OpenModelOptions = {},
): Promise<ImageTextModel> {
  return createClip(device, { ...options, weights: path });
}
