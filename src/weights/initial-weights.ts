import type { Preprocessing } from '../data/images/preprocessing.js';
import type { HubOptions } from '../hub/hub-settings.js';
import { initialParameters, initialStatistics, type ModelDefinition } from '../models/model.js';
import { fromCxrLt } from '../models/weights/cxrlt-names.js';
import { type FitOptions, fitWeights } from '../models/weights/fit-weights.js';
import type { ModelWeights } from '../models/weights/timm-weights.js';
import { fromTorchvision } from '../models/weights/torchvision-names.js';
import { WeightsError } from '../models/weights/weights-error.js';
import { fromWrapped } from '../models/weights/wrapper-prefix.js';
import { readAdapters } from './adapter-file.js';
import { applyAdapters } from './apply-adapters.js';
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

export interface StartOptions extends Omit<WeightsFromOptions, 'head'> {
  /** Absent: fresh weights. */
  readonly weights?: string | undefined;
  readonly weightsHead: FitOptions['head'];
  /** A file of LoRA adapters to merge into these weights; see adapter-file.ts. */
  readonly adapters?: string | undefined;
}

/**
 * What a network starts from.
 * @param definition without adapters
 * @throws as `weightsFrom` and `readAdapters`, `applyAdapters`
 */
export async function initialWeights(
  definition: ModelDefinition,
  { weights: source, weightsHead: head, adapters, ...options }: StartOptions,
): Promise<InitialWeights> {
  const start =
    source === undefined
      ? freshWeights(definition, options.seed)
      : await weightsFrom(source, definition, { ...options, head });
  if (adapters === undefined) return start;
  const adapted = await applyAdapters(await readAdapters(adapters), definition, start);
  return { ...adapted, notes: [...start.notes, ...adapted.notes] };
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
