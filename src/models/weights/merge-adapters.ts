import { at } from '../../engine/graph/tensor.js';
import { adapterNames } from '../lora.js';
import type { ParameterSpec } from '../model-scope.js';
import type { ModelWeights } from './timm-weights.js';

/**
 * The weights of an ordinary network that computes what one with adapters does: each W replaced by W + (alpha / rank)·A·B,
 * summed in float64 and rounded once; the adapters themselves are left out. The rest is shared, not copied.
 */
export function mergeAdapters(
  parameters: readonly ParameterSpec[],
  { parameters: values, statistics }: ModelWeights,
): ModelWeights {
  const merged = new Map(values);
  for (const { adapts, shape } of parameters) {
    if (adapts?.factor !== 'A') continue;
    const { weight, rank, alpha } = adapts;
    const names = adapterNames(weight);
    const take = (name: string) => {
      const found = values.get(name);
      if (!found) throw new RangeError(`there are no values for ${name}`);
      return found;
    };
    const factors = { a: take(names.A), b: take(names.B), rank, scale: alpha / rank };
    merged.set(weight, addProduct(take(weight), at(shape, 0), factors));
    merged.delete(names.A);
    merged.delete(names.B);
  }
  return { parameters: merged, statistics };
}

interface Factors {
  /** [in, rank] and [rank, out] */
  readonly a: Float32Array;
  readonly b: Float32Array;
  readonly rank: number;
  readonly scale: number;
}

/** w + scale·a·b @param w [inputs, out] */
function addProduct(w: Float32Array, inputs: number, { a, b, rank, scale }: Factors): Float32Array {
  const outputs = w.length / inputs;
  const result = new Float32Array(w.length);
  const row = new Float64Array(outputs);
  for (let i = 0; i < inputs; i++) {
    for (let o = 0; o < outputs; o++) row[o] = w[i * outputs + o] ?? 0;
    for (let k = 0; k < rank; k++) {
      const factor = scale * (a[i * rank + k] ?? 0);
      for (let o = 0; o < outputs; o++) row[o] = (row[o] ?? 0) + factor * (b[k * outputs + o] ?? 0);
    }
    result.set(row, i * outputs);
  }
  return result;
}
