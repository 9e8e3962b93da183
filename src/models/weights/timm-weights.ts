import { elementCount, type Shape, sameShape } from '../../engine/graph/tensor.js';
import type { ModelDefinition } from '../model.js';
import { type SafetensorsTensor, toFloat32 } from '../safetensors/safetensors.js';
import { moduleOf, ownHeadModules } from './head-tensors.js';
import type { TensorDifference } from './tensor-differences.js';
import { WeightsError } from './weights-error.js';

/** What of a model has values to keep: parameters and running statistics. */
export type ModelTensors = Pick<ModelDefinition, 'parameters' | 'statistics'>;

/**
 * Between our arenas and a PyTorch state dict: timm's names (torchvision's ResNets have the same), convolutions as
 * OIHW, linear layers as [out, in]. Each tensor is transposed once, here.
 */
export interface ModelWeights {
  readonly parameters: ReadonlyMap<string, Float32Array>;
  readonly statistics: ReadonlyMap<string, Float32Array>;
}

/** The tensors of the model's state dict, by timm's name, with PyTorch's shapes. */
export function timmShapes({ parameters, statistics }: ModelTensors): Map<string, Shape> {
  return new Map([
    ...parameters.map(({ name, shape, layout }) => [name, torchShape(shape, layout)] as const),
    ...statistics.map(({ name, shape }) => [name, shape] as const),
  ]);
}

/**
 * Tensors under timm's names and layouts, ready for `writeSafetensors`: all that a PyTorch module of that name has, so
 * that `load_state_dict(strict=True)` takes them. Batches that a norm has seen are not counted here; PyTorch reads that
 * number only where a norm has no momentum, which no network of timm's is built with.
 */
export function exportTimm(definition: ModelTensors, weights: ModelWeights): Map<string, SafetensorsTensor> {
  const tensors = new Map<string, SafetensorsTensor>();
  for (const { name, shape, layout } of definition.parameters) {
    const data = required(weights.parameters, name);
    tensors.set(name, {
      dtype: 'F32',
      shape: torchShape(shape, layout),
      data: layout === 'same' ? data : toTorch(data, shape),
    });
  }
  for (const { name, shape } of definition.statistics) {
    tensors.set(name, { dtype: 'F32', shape: [...shape], data: required(weights.statistics, name) });
    const [norm, mean] = name.split(/\.(?=running_mean$)/);
    if (!mean) continue;
    tensors.set(`${norm}.${COUNTER}`, { dtype: 'I64', shape: [], data: BigInt64Array.of(0n) });
  }
  return tensors;
}

/**
 * The reverse of `exportTimm`. PyTorch's `num_batches_tracked` counters are accepted and not needed.
 * @throws WeightsError unless every tensor of the model is there, in its shape, and nothing else is
 */
export function importTimm(
  definition: ModelTensors,
  tensors: ReadonlyMap<string, SafetensorsTensor>,
): ModelWeights {
  requireTensors(definition, tensors);
  const take = (name: string) => toFloat32(tensors.get(name) as SafetensorsTensor);
  return {
    parameters: new Map(
      definition.parameters.map(({ name, shape, layout }) => [
        name,
        layout === 'same' ? take(name) : fromTorch(take(name), shape),
      ]),
    ),
    statistics: new Map(definition.statistics.map(({ name }) => [name, take(name)])),
  };
}

/** @throws WeightsError unless every tensor of the model is there, in its shape, and nothing else is */
export function requireTensors(
  definition: ModelTensors,
  tensors: ReadonlyMap<string, SafetensorsTensor>,
): void {
  const differences = compareTensors(definition, tensors, ownHeadModules(definition));
  if (differences.length > 0) throw new WeightsError(differences);
}

/**
 * Every tensor in which a file differs from the model, in the model's order and then the file's. PyTorch's
 * `num_batches_tracked` counters may be there or not; element types may be any floating-point ones.
 * @param heads modules that a tensor which the model has not counts as a head's in
 */
export function compareTensors(
  definition: ModelTensors,
  tensors: ReadonlyMap<string, SafetensorsTensor>,
  heads: ReadonlySet<string>,
): TensorDifference[] {
  const differences: TensorDifference[] = [];
  const shapes = timmShapes(definition);
  for (const { name, group: part } of [...definition.parameters, ...definition.statistics]) {
    const expected = shapes.get(name) ?? [];
    const found = tensors.get(name);
    if (!found) differences.push({ kind: 'missing', name, part, expected });
    else if (!sameShape(found.shape, expected)) {
      differences.push({ kind: 'shape', name, part, found, expected });
    } else if (!FLOATS.has(found.dtype)) differences.push({ kind: 'dtype', name, part, found, expected });
  }
  for (const [name, found] of tensors) {
    if (shapes.has(name) || name.endsWith(`.${COUNTER}`)) continue;
    const part = heads.has(moduleOf(name)) ? 'head' : 'backbone';
    differences.push({ kind: 'unexpected', name, part, found });
  }
  return differences;
}

/** Of batches, beside the statistics of each of PyTorch's batch norms. */
const COUNTER = 'num_batches_tracked';

const FLOATS: ReadonlySet<string> = new Set(['F16', 'BF16', 'F32', 'F64']);

function torchShape(shape: Shape, layout: 'conv' | 'linear' | 'same'): number[] {
  if (layout === 'same') return [...shape];
  const outputs = shape.at(-1) ?? 1;
  const inputs = shape.at(-2) ?? 1;
  return [outputs, inputs, ...shape.slice(0, -2)];
}

/** [...kernel, in, out] → [out, in, ...kernel]; a linear layer has no kernel axes. */
function toTorch(data: Float32Array, shape: Shape): Float32Array<ArrayBuffer> {
  const result = new Float32Array(data.length);
  forEachWeight(shape, (ours, torch) => {
    result[torch] = data[ours] ?? 0;
  });
  return result;
}

function fromTorch(data: Float32Array, shape: Shape): Float32Array<ArrayBuffer> {
  const result = new Float32Array(data.length);
  forEachWeight(shape, (ours, torch) => {
    result[ours] = data[torch] ?? 0;
  });
  return result;
}

function forEachWeight(shape: Shape, visit: (ours: number, torch: number) => void): void {
  const outputs = shape.at(-1) ?? 1;
  const inputs = shape.at(-2) ?? 1;
  const taps = elementCount(shape.slice(0, -2));
  let ours = 0;
  for (let tap = 0; tap < taps; tap++) {
    for (let c = 0; c < inputs; c++) {
      for (let o = 0; o < outputs; o++) visit(ours++, (o * inputs + c) * taps + tap);
    }
  }
}

function required(values: ReadonlyMap<string, Float32Array>, name: string): Float32Array<ArrayBuffer> {
  const data = values.get(name);
  if (!data) throw new RangeError(`there are no values for ${name}`);
  return data as Float32Array<ArrayBuffer>;
}
