import { TailrayError } from '#src/engine/errors.js';

/** Nobody is timed on wrong work: every library's results are compared with tailray's before the first round. */

/** A library computed something else. */
export class DisagreementError extends TailrayError {}

/** Largest relative difference that rounding may leave between two orders of summation. */
export const TOLERANCE = 1e-3;

/** The same where one of the two stores tensors as f16, each rounded by up to 2⁻¹¹. */
export const HALF_TOLERANCE = 2e-2;

/**
 * The largest difference between two lists of tensors, each relative to the largest magnitude of that tensor: the error
 * of a sum goes with its largest terms, so an element that happens to cancel to 0 has no relative error to speak of.
 * NaN or another number of values is infinitely wrong.
 */
export function largestDifference(
  expected: readonly Float32Array[],
  actual: readonly Float32Array[],
): number {
  if (expected.length !== actual.length) return Number.POSITIVE_INFINITY;
  return Math.max(0, ...expected.map((values, i) => difference(values, actual[i] ?? new Float32Array(0))));
}

function difference(expected: Float32Array, actual: Float32Array): number {
  if (expected.length !== actual.length) return Number.POSITIVE_INFINITY;
  let [largest, apart] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    const [want = Number.NaN, got = Number.NaN] = [expected[i], actual[i]];
    largest = Math.max(largest, Math.abs(want));
    apart = Math.max(apart, Math.abs(want - got));
  }
  if (Number.isNaN(largest) || Number.isNaN(apart)) return Number.POSITIVE_INFINITY;
  if (apart === 0) return 0;
  return largest === 0 ? Number.POSITIVE_INFINITY : apart / largest;
}
