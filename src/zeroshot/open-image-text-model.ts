import type { Device } from '../engine/device.js';
import { type CreateClipOptions, createClip } from './clip.js';
import type { ImageTextModel } from './image-text-model.js';
import { findProjection, TrainedProjection } from './trained-projection.js';

export type OpenModelOptions = Omit<CreateClipOptions, 'weights' | 'config' | 'seed'>;

/**
 * Opens the model at a path, whichever kind it is, frozen.
 * @param path of a run whose head compares images with texts, or its checkpoint; or of a CLIP, as for `createClip`
 * @throws as `createClip`; CheckpointError
 */
export async function openImageTextModel(
  device: Device,
  path: string,
  options: OpenModelOptions = {},
): Promise<ImageTextModel> {
  const files = await findProjection(path);
  const projection = files && (await TrainedProjection.open(device, files, options.batchSize ?? 8));
  return projection ?? createClip(device, { ...options, weights: path });
}
