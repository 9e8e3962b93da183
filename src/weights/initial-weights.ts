import type { Preprocessing } from '../data/images/preprocessing.js';
import type { HubOptions } from '../hub/hub-settings.js';
import { initialParameters, initialStatistics, type ModelDefinition } from '../models/model.js';
import { fromCxrLt } from '../models/weights/cxrlt-names.js';
import { type FitOptions, fitWeights } from '../models/weights/fit-weights.js';
import type { ModelWeights } from '../models/weights/timm-weights.js';
import { fromTorchvision } from '../models/weights/torchvision-names.js';
import { WeightsError } from '../models/weights/weights-error.js';
import { fromWrapped } from '../models/weights/wrapper-prefix.js';
import { pretrainingOf, readWeights } from './checkpoint.js';
import { CheckpointError } from './checkpoint-error.js';
import { normalisationNote } from './normalisation-note.js';
import { openWeightSource, requireArchitecture } from './open-weight-source.js';

/** Where a training starts: random by the seed, or from somebody's weights. */
export interface InitialWeights extends ModelWeights {
  /** What was taken from where, and what was changed, a sentence each. */
  readonly notes: readonly string[];
}

export interface WeightsFromOptions extends FitOptions {
  /** How images will be prepared; what the weights were trained with is compared with it. */
  readonly preprocessing?: Preprocessing | undefined;
  /** How a hub is asked, where the weights are on one. */
  readonly hub?: HubOptions | undefined;
}

/** Fresh weights; the same seed gives the same. */
export function freshWeights(definition: ModelDefinition, seed: number): InitialWeights {
  return {
    parameters: initialParameters(definition, seed),
    statistics: initialStatistics(definition),
    notes: [],
  };
}

/**
 * Weights of a safetensors file or one of torch.save's, in timm's naming or torchvision's. Nothing that differs is passed over: a head is
 * replaced only where the caller says so, a stem for other image channels is adapted and that is noted, all else is an
 * error that lists the tensors.
 * @param source a path, or `hf-hub:owner/name@revision:file`; see open-weight-source.ts
 * @throws CheckpointError 'missing', 'pickle', 'damaged' or 'mismatch'; HubError
 */
export async function weightsFrom(
  source: string,
  definition: ModelDefinition,
  { preprocessing, hub, ...fit }: WeightsFromOptions,
): Promise<InitialWeights> {
  const opened = openWeightSource(source, hub);
  const { place } = opened;
  const config = await opened.config();
  requireArchitecture(config, definition.config.arch, place);
  const path = await opened.file();
  const { tensors, metadata, notes: fileNotes } = await readWeights(path);
  const pretraining = config ?? pretrainingOf(metadata);
  requireArchitecture(pretraining, definition.config.arch, place);
  const note = pretraining && preprocessing && normalisationNote(pretraining, preprocessing);
  try {
    const unwrapped = fromWrapped(tensors);
    const fitted = fitWeights(definition, fromCxrLt(fromTorchvision(unwrapped.tensors)), fit);
    const notes = [
      ...(await opened.notes()),
      `weights from ${place}.`,
      ...fileNotes,
      ...unwrapped.notes,
      ...fitted.notes,
      ...(note ? [note] : []),
    ];
    return { ...fitted, notes };
  } catch (error) {
    if (!(error instanceof WeightsError)) throw error;
    throw new CheckpointError('mismatch', place, `${error.message}${advice(error)}`, { cause: error });
  }
}

function advice({ headOnly }: WeightsError): string {
  return headOnly
    ? '\nOnly the head differs. To leave it out and start with a fresh one: --weights-head reset, in a recipe ' +
        "model.weightsHead: reset, in code weightsHead: 'reset'."
    : '';
}
