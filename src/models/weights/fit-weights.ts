import { sameShape } from '../../engine/graph/tensor.js';
import { initialParameters, initialStatistics, type ModelDefinition } from '../model.js';
import type { SafetensorsTensor } from '../safetensors/safetensors.js';
import { headModules, moduleOf } from './head-tensors.js';
import { adaptInputChannels, inputParameters } from './input-channels.js';
import { resamplePositions } from './positions.js';
import { compareTensors, exportTimm, importTimm, type ModelWeights, timmShapes } from './timm-weights.js';
import { WeightsError } from './weights-error.js';

/**
 * Somebody's weights for a model that they were not made for: what may differ, and what is done about it. The rest is
 * an error with a list.
 */
export interface FitOptions {
  /** `keep`: the file's head, which must fit. `reset`: the fresh one, whatever the file has. */
  readonly head: 'keep' | 'reset';
  /** Of what starts afresh; the same as in a model that starts afresh as a whole. */
  readonly seed: number;
}

export interface FittedWeights extends ModelWeights {
  /** What was changed on the way, a sentence each. */
  readonly notes: readonly string[];
}

/**
 * @param tensors under timm's names, with PyTorch's shapes
 * @throws WeightsError with every tensor that differs, unless it is the head's and that starts afresh, a stem that can
 *   be adapted to the number of image channels, or position embeddings that can be resized to the grid of patches
 */
export function fitWeights(
  definition: ModelDefinition,
  tensors: ReadonlyMap<string, SafetensorsTensor>,
  { head, seed }: FitOptions,
): FittedWeights {
  const channels = withInputChannels(definition, tensors);
  const positions = withPositions(definition, channels.tensors);
  const adapted = { tensors: positions.tensors, notes: [...channels.notes, ...positions.notes] };
  const reset = head === 'reset' ? withFreshHead(definition, adapted.tensors, seed) : adapted;
  const differences = compareTensors(definition, reset.tensors, headModules(definition));
  if (differences.length > 0) throw new WeightsError(differences);
  return {
    ...importTimm(definition, reset.tensors),
    notes: [...adapted.notes, ...(reset === adapted ? [] : reset.notes), ...roundingNotes(reset.tensors)],
  };
}

interface Step {
  readonly tensors: ReadonlyMap<string, SafetensorsTensor>;
  readonly notes: readonly string[];
}

function withInputChannels(definition: ModelDefinition, tensors: Step['tensors']): Step {
  const shapes = timmShapes(definition);
  const { inChannels } = definition.config;
  const result = new Map(tensors);
  const notes: string[] = [];
  for (const name of inputParameters(definition)) {
    const expected = shapes.get(name);
    const found = tensors.get(name);
    if (!expected || !found || sameShape(found.shape, expected)) continue;
    const adapted = adaptInputChannels(found, inChannels);
    if (!adapted || !sameShape(adapted.shape, expected)) continue;
    result.set(name, adapted);
    const channels = found.shape[1];
    notes.push(
      inChannels === 1
        ? `${name} reads one grey channel: the sum of its weights for ${channels} channels.`
        : `${name} reads ${inChannels} channels: its weights for ${channels} repeated, times ${channels}/${inChannels}.`,
    );
  }
  return { tensors: result, notes };
}

function withPositions(definition: ModelDefinition, tensors: Step['tensors']): Step {
  const result = new Map(tensors);
  const notes: string[] = [];
  for (const { name, shape, positions } of definition.parameters) {
    const found = tensors.get(name);
    if (!positions || !found || sameShape(found.shape, shape)) continue;
    const resampled = resamplePositions(found, positions);
    if (!resampled || !sameShape(resampled.tensor.shape, shape)) continue;
    result.set(name, resampled.tensor);
    const { rows, columns } = positions;
    notes.push(
      `${name} of ${resampled.side} × ${resampled.side} patches is resized to ${rows} × ${columns}.`,
    );
  }
  return { tensors: result, notes };
}

function withFreshHead(definition: ModelDefinition, tensors: Step['tensors'], seed: number): Step {
  const head = headOf(definition);
  const fresh = exportTimm(head, {
    parameters: initialParameters(head, seed),
    statistics: initialStatistics(head),
  });
  const backbone = timmShapes(definition);
  const modules = headModules(definition);
  const theirs = [...tensors.keys()].filter(
    (name) => fresh.has(name) || (!backbone.has(name) && modules.has(moduleOf(name))),
  );
  const kept = [...tensors].filter(([name]) => !theirs.includes(name));
  return {
    tensors: new Map([...kept, ...fresh]),
    notes: [
      `the head starts afresh (${[...fresh.keys()].join(', ')})` +
        (theirs.length > 0 ? `; not used of the file: ${theirs.join(', ')}.` : '; the file has none.'),
    ],
  };
}

function headOf(definition: ModelDefinition): ModelDefinition {
  const own = <T extends { readonly group: string }>(tensors: readonly T[]) =>
    tensors.filter(({ group }) => group === 'head');
  return {
    ...definition,
    parameters: own(definition.parameters),
    statistics: own(definition.statistics),
  };
}

function roundingNotes(tensors: Step['tensors']): string[] {
  const wide = [...tensors].filter(([, { dtype }]) => dtype === 'F64').length;
  if (wide === 0) return [];
  return [
    `${wide} ${wide === 1 ? 'tensor was float64 and is' : 'tensors were float64 and are'} rounded to float32.`,
  ];
}
