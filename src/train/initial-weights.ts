import { fromCxrLt } from '../models/cxrlt-names.js';
import { initialParameters, initialStatistics, type ModelDefinition } from '../models/model.js';
import { exportTimm, importTimm, type ModelWeights, WeightsError } from '../models/timm-weights.js';
import { fromTorchvision } from '../models/torchvision-names.js';
import { readWeights } from './checkpoint.js';
import { CheckpointError } from './checkpoint-error.js';

/** Where a training starts: random by the seed, or from somebody's weights. */
export interface InitialWeights extends ModelWeights {
  /** What was taken from where, a sentence each. */
  readonly notes: readonly string[];
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
 * Weights of a safetensors file in timm's naming or torchvision's. A classifier for other classes (another shape, or none) is replaced
 * by a fresh one, and said so; anything else that differs is an error.
 * @throws CheckpointError 'missing', 'foreign', 'damaged' or 'mismatch'
 */
export async function weightsFrom(
  path: string,
  definition: ModelDefinition,
  seed: number,
): Promise<InitialWeights> {
  const tensors = new Map(fromCxrLt(fromTorchvision(await readWeights(path))));
  const fresh = exportTimm(definition, freshWeights(definition, seed));
  const replaced: string[] = [];
  for (const { name, group } of definition.parameters) {
    const own = fresh.get(name);
    if (group !== 'head' || own === undefined) continue;
    if (tensors.get(name)?.shape.join() === own.shape.join()) continue;
    tensors.set(name, own);
    replaced.push(name);
  }
  const notes = [`weights from ${path}.`];
  if (replaced.length > 0) {
    notes.push(`the classifier (${replaced.join(', ')}) is for other classes there and starts afresh.`);
  }
  try {
    return { ...importTimm(definition, tensors), notes };
  } catch (error) {
    if (!(error instanceof WeightsError)) throw error;
    throw new CheckpointError('mismatch', path, error.message, { cause: error });
  }
}
