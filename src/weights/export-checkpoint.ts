import { describePreprocessing } from '../data/images/describe-preprocessing.js';
import { exportOnnx } from '../export/export-onnx.js';
import { writeSafetensors } from '../models/safetensors/safetensors.js';
import { requireTensors } from '../models/weights/timm-weights.js';
import { WeightsError } from '../models/weights/weights-error.js';
import { tailrayVersion } from '../storage/version.js';
import { aboutTexts, type Checkpoint, networkOf } from './checkpoint.js';
import { CheckpointError } from './checkpoint-error.js';

/**
 * A checkpoint in the formats that other programs read. All that it says of itself (classes, preprocessing, recipe…)
 * goes along as metadata, a JSON text for each field: a model means nothing without them.
 */

/**
 * An ONNX file; see `exportOnnx` for its inputs and outputs. `path` is the checkpoint's, for messages.
 * @param anyImageSize accept images of any size, not only of the one it was trained on
 * @throws CheckpointError 'mismatch'; ExportError for a head without ONNX form, or one that needs one size
 */
export function checkpointAsOnnx(
  { tensors, ...about }: Checkpoint,
  { path, anyImageSize = false }: { path: string; anyImageSize?: boolean },
): Uint8Array {
  const definition = networkOf(about);
  try {
    return exportOnnx({
      definition,
      tensors,
      imageSize: about.preprocessing.size,
      anyImageSize,
      version: tailrayVersion,
      description: describe(about),
      metadata: aboutTexts(about),
    });
  } catch (error) {
    if (!(error instanceof WeightsError)) throw error;
    throw new CheckpointError('mismatch', path, error.message, { cause: error });
  }
}

/**
 * A safetensors file as PyTorch's libraries write them: timm's `load_state_dict(strict=True)` takes its tensors, if the
 * network is one of timm's. @throws CheckpointError 'mismatch'
 */
export function checkpointAsStateDict(
  { tensors, ...about }: Checkpoint,
  path: string,
): Uint8Array<ArrayBuffer> {
  try {
    requireTensors(networkOf(about), tensors);
  } catch (error) {
    if (!(error instanceof WeightsError)) throw error;
    throw new CheckpointError('mismatch', path, error.message, { cause: error });
  }
  return writeSafetensors(tensors, { format: 'pt', ...aboutTexts(about) });
}

function describe({ model, classes, preprocessing, simulated }: Omit<Checkpoint, 'tensors'>): string {
  return [
    `${model.arch} for ${classes.length} findings in chest radiographs: ${classes.join(', ')}.`,
    'Research software, not a medical device: not for clinical use.',
    ...(simulated ? ['Trained on simulated images: it knows nothing of patients.'] : []),
    `To prepare an image: ${describePreprocessing(preprocessing).join(' ')}`,
    'logits are one for each class, in this order; the sigmoid of one is its probability.',
  ].join('\n');
}
