import type { Device } from '../engine/device.js';
import { type CreateClipOptions, createClip } from './clip.js';
import { ClipError } from './clip-error.js';
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
  if (!projection) return createClip(device, { ...options, weights: path });
  const ofClips = (['imageSize', 'tokenizer', 'window'] as const).find((name) => options[name] !== undefined);
  if (ofClips === undefined) return projection;
  await projection.destroy();
  throw new ClipError(
    `${path}: takes no ${ofClips}: its images and texts are prepared as in its training; that is a setting of CLIPs.`,
  );
}
