import { TailrayError } from '../engine/errors.js';
import { elementCount, type Shape } from '../engine/tensor.js';
import type { ModelDefinition } from './model.js';
import { readSafetensors, type SafetensorsTensor, toFloat32 } from './safetensors.js';

/**
 * Between our arenas and a PyTorch state dict: timm's names (torchvision's ResNets have the same), convolutions as
 * OIHW, linear layers as [out, in]. Each tensor is transposed once, here.
 */
export interface ModelWeights {
  readonly parameters: ReadonlyMap<string, Float32Array>;
  readonly statistics: ReadonlyMap<string, Float32Array>;
}

/** The weights of a file are not those of the model; lists every tensor that differs. */
export class WeightsError extends TailrayError {
  constructor(
    readonly missing: readonly string[],
    readonly unexpected: readonly string[],
    readonly mismatched: readonly string[],
  ) {
    const list = (title: string, names: readonly string[]) =>
      names.length > 0
        ? `\n  ${title}: ${names.slice(0, 8).join(', ')}${names.length > 8 ? `, … (${names.length})` : ''}`
        : '';
    super(
      `the weights do not fit the model:${list('missing', missing)}${list('unexpected', unexpected)}${list('of another shape', mismatched)}`,
    );
  }
}

/** Tensors under timm's names and layouts, ready for `writeSafetensors`. */
export function exportTimm(
  definition: ModelDefinition,
  weights: ModelWeights,
): Map<string, SafetensorsTensor> {
  const tensors = new Map<string, SafetensorsTensor>();
  for (const { name, shape, layout } of definition.parameters) {
    const data = required(weights.parameters, name);
    const target = torchShape(shape, layout);
    tensors.set(name, {
      dtype: 'F32',
      shape: target,
      data: layout === 'vector' ? data : toTorch(data, shape),
    });
  }
  for (const { name, shape } of definition.statistics) {
    tensors.set(name, { dtype: 'F32', shape: [...shape], data: required(weights.statistics, name) });
  }
  return tensors;
}

/**
 * The reverse of `exportTimm`. PyTorch's `num_batches_tracked` counters are accepted and not needed.
 * @throws WeightsError unless every tensor of the model is there, in its shape, and nothing else is
 */
export function importTimm(
  definition: ModelDefinition,
  tensors: ReadonlyMap<string, SafetensorsTensor>,
): ModelWeights {
  const missing: string[] = [];
  const mismatched: string[] = [];
  const known = new Set<string>();
  const take = (name: string, shape: Shape): SafetensorsTensor | undefined => {
    known.add(name);
    const tensor = tensors.get(name);
    if (!tensor) missing.push(name);
    else if (tensor.shape.join() !== shape.join()) {
      mismatched.push(`${name} [${tensor.shape}] instead of [${shape}]`);
    } else return tensor;
    return undefined;
  };
  const parameters = new Map<string, Float32Array>();
  for (const { name, shape, layout } of definition.parameters) {
    const tensor = take(name, torchShape(shape, layout));
    if (!tensor) continue;
    const data = toFloat32(tensor);
    parameters.set(name, layout === 'vector' ? data : fromTorch(data, shape));
  }
  const statistics = new Map<string, Float32Array>();
  for (const { name, shape } of definition.statistics) {
    const tensor = take(name, shape);
    if (tensor) statistics.set(name, toFloat32(tensor));
  }
  const unexpected = [...tensors.keys()].filter(
    (name) => !known.has(name) && !name.endsWith('num_batches_tracked'),
  );
  if (missing.length + mismatched.length + unexpected.length > 0) {
    throw new WeightsError(missing, unexpected, mismatched);
  }
  return { parameters, statistics };
}

/** `importTimm` of a safetensors file's bytes. */
export function readTimmWeights(definition: ModelDefinition, bytes: Uint8Array): ModelWeights {
  return importTimm(definition, readSafetensors(bytes).tensors);
}

function torchShape(shape: Shape, layout: 'conv' | 'linear' | 'vector'): number[] {
  if (layout === 'vector') return [...shape];
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
  if (!data) throw new WeightsError([name], [], []);
  return data as Float32Array<ArrayBuffer>;
}
