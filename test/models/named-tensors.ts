import type { ModelDefinition } from '../../src/models/model.js';
import type { SafetensorsTensor } from '../../src/models/safetensors/safetensors.js';
import { timmShapes } from '../../src/models/weights/timm-weights.js';
import { hashTensor } from '../golden/hash-weights.js';

/** A state dict for a model, other values in every tensor. */
export function stateDict(definition: ModelDefinition): Map<string, SafetensorsTensor> {
  return new Map(
    [...timmShapes(definition)].map(([name, shape]) => [
      name,
      { dtype: 'F32', shape, data: hashTensor(name, shape) },
    ]),
  );
}

export const f32 = (shape: readonly number[], data: Iterable<number>): SafetensorsTensor => ({
  dtype: 'F32',
  shape,
  data: Float32Array.from(data),
});
