import { adapterNames, adapterSpecs, moduleOfWeight } from '../models/lora.js';
import type { ModelDefinition } from '../models/model.js';
import type { ParameterSpec } from '../models/model-scope.js';
import { mergeAdapters } from '../models/weights/merge-adapters.js';
import { importTimm, type ModelWeights } from '../models/weights/timm-weights.js';
import { WeightsError } from '../models/weights/weights-error.js';
import { counted } from '../text/numbers.js';
import { shorten } from '../text/shorten.js';
import { type AdapterFile, baseDigest } from './adapter-file.js';
import { CheckpointError } from './checkpoint-error.js';
import { requireArchitecture } from './open-weight-source.js';
import { loraOf } from './peft-config.js';

/**
 * Merges the adapters of a file into the weights of a network, and puts the file's other tensors in place of the network's.
 * @param definition without adapters
 * @returns weights of the same network, and what was done, a sentence each
 * @throws CheckpointError 'mismatch' for adapters of another network, of other ranks than their configuration says, or
 *   trained beside other weights
 */
export async function applyAdapters(
  file: AdapterFile,
  definition: ModelDefinition,
  weights: ModelWeights,
): Promise<ModelWeights & { readonly notes: readonly string[] }> {
  const { path, tensors } = file;
  requireArchitecture(file.pretraining, definition.config.arch, path);
  const adapters = adaptersIn(file, definition);
  const inFile = ({ name }: { readonly name: string }) => tensors.has(name);
  const notInFile = ({ name }: { readonly name: string }) => !tensors.has(name);
  const { parameters, statistics } = definition;
  const whole = parameters.filter(inFile);
  const given = importOr(path, () =>
    importTimm({ parameters: [...adapters, ...whole], statistics: statistics.filter(inFile) }, tensors),
  );
  const kept = { parameters: parameters.filter(notInFile), statistics: statistics.filter(notInFile) };
  if (file.base !== undefined && (await baseDigest(kept, weights)) !== file.base) {
    throw new CheckpointError(
      'mismatch',
      path,
      'its adapters were trained beside other weights than these (the SHA-256 in its metadata differs). Name the ' +
        'weights that their training began with, for the same number of image channels; of a run with stages, those ' +
        'that the last one began with.',
    );
  }
  const merged = mergeAdapters(adapters, {
    parameters: new Map([...weights.parameters, ...given.parameters]),
    statistics: new Map([...weights.statistics, ...given.statistics]),
  });
  return { ...merged, notes: notesOf(file, adapters, whole) };
}

/** The parameters that the file's adapters are; what fits no linear layer is left to be reported. */
function adaptersIn({ tensors, config }: AdapterFile, { parameters }: ModelDefinition): ParameterSpec[] {
  const adapted = parameters.filter(({ name, layout, shape }) => {
    const { A, B } = adapterNames(name);
    return layout === 'linear' && shape.length === 2 && (tensors.has(A) || tensors.has(B));
  });
  return adapted.flatMap((weight) =>
    adapterSpecs(weight, loraOf(config, moduleOfWeight(weight.name))).map((spec) => ({ ...weight, ...spec })),
  );
}

function importOr(path: string, load: () => ModelWeights): ModelWeights {
  try {
    return load();
  } catch (error) {
    if (!(error instanceof WeightsError)) throw error;
    throw new CheckpointError(
      'mismatch',
      path,
      `${error.message}\nAdapters must stand beside linear layers of the model, two for each, with the rank that their ` +
        'configuration says; other tensors must be the model’s.',
      { cause: error },
    );
  }
}

function notesOf(
  { path, base, config }: AdapterFile,
  adapters: readonly ParameterSpec[],
  whole: readonly ParameterSpec[],
): string[] {
  const ranks = [...new Set(adapters.map(({ adapts }) => adapts?.rank))];
  const names = whole.slice(0, 4).map(({ name }) => name);
  const more = whole.length - names.length;
  const others = `${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  const name = config.base_model_name_or_path;
  return [
    `adapters from ${path}: ${counted(adapters.length / 2, 'linear layer')} with rank ${ranks.join(' and ')}, merged into the weights${
      whole.length === 0 ? '' : `; ${others} are the file's, too`
    }.`,
    ...(base === undefined
      ? [
          `which weights these adapters were trained beside is not known${name ? ` but by name (${shorten(name, 100)})` : ''}: they are ` +
            'merged into the ones at hand.',
        ]
      : []),
  ];
}
