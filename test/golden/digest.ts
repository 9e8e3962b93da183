import { expect } from 'vitest';
import { fnv1a32, hashUniform, lowbias32 } from './hash-weights.js';

/** What a golden file keeps of a large tensor; see make_resnet.py. */
export interface Digest {
  readonly norm: number;
  readonly projection: number;
  readonly samples: readonly number[];
}

/** |a − b| / |b|, L2. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i]! - expected[i]!) ** 2;
    norm += expected[i]! ** 2;
  }
  return Math.sqrt(difference / norm);
}

/**
 * Compares a tensor with its digest. Norm and samples bound the error directly; a projection on random signs of
 * variance 1/3 is off by about |error|/√3, so it notices an error anywhere in the tensor.
 * @param size the norm that errors are measured against, where the tensor's own is next to nothing
 */
export function expectDigest(
  name: string,
  values: Float32Array,
  expected: Digest,
  tolerance: number,
  size = expected.norm,
): void {
  const signs = hashUniform(`${name}/projection`, values.length);
  let [squares, projection] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    squares += values[i]! * values[i]!;
    projection += values[i]! * signs[i]!;
  }
  const norm = Math.sqrt(squares);
  expect(Math.abs(norm - expected.norm) / size, `norm of ${name}`).toBeLessThan(tolerance);
  expect(Math.abs(projection - expected.projection) / size, `projection of ${name}`).toBeLessThan(tolerance);
  const samples = sampleIndices(name, values.length, expected.samples.length).map((i) => values[i]!);
  // A sample may lie anywhere below the tensor's largest value, so it is measured against the root mean square.
  const scale = size / Math.sqrt(values.length);
  samples.forEach((sample, k) => {
    const error = Math.abs(sample - expected.samples[k]!) / Math.max(scale, Math.abs(expected.samples[k]!));
    expect(error, `sample ${k} of ${name}: ${sample} vs ${expected.samples[k]}`).toBeLessThan(tolerance * 5);
  });
}

function sampleIndices(name: string, count: number, samples: number): number[] {
  if (count === samples) return Array.from({ length: count }, (_, i) => i);
  const base = fnv1a32(`${name}/sample`);
  return Array.from({ length: samples }, (_, k) => lowbias32((base + k) >>> 0) % count);
}
