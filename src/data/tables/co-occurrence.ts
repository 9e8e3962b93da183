import { type LabelledSamples, positiveClasses } from '../sampling/expected-visits.js';

/** Counts of findings that come together, in the images as they are or as a sampler visits them. */

export interface CoOccurrence {
  /** Findings with this name, in order. */
  readonly classes: readonly string[];
  /** [classes, classes] visits with both findings; the diagonal holds those with one. Symmetric. */
  readonly pairs: Float64Array;
}

/** Pairs of more classes than this are not counted: their number grows with the square, here to 128 MB. */
export const PAIRED_CLASSES = 4000;

/**
 * Counts pairs of positive labels.
 * @param samples of at most `PAIRED_CLASSES` classes
 * @param visits [samples.length] weight of each sample, such as a sampler's expected visits; 1 each when absent
 */
export function coOccurrence(samples: LabelledSamples, visits?: Float64Array): CoOccurrence {
  const { classes } = samples;
  const pairs = new Float64Array(classes.length ** 2);
  for (let i = 0; i < samples.length; i++) {
    const weight = visits === undefined ? 1 : (visits[i] ?? 0);
    const present = positiveClasses(samples, i);
    for (const a of present) {
      for (const b of present) pairs[a * classes.length + b] = (pairs[a * classes.length + b] ?? 0) + weight;
    }
  }
  return { classes, pairs };
}

/** Share of the images with finding `a` that also have `b`; NaN where none has `a`. */
export function conditionalShare({ classes, pairs }: CoOccurrence, a: number, b: number): number {
  const own = pairs[a * classes.length + a] ?? 0;
  return own > 0 ? (pairs[a * classes.length + b] ?? 0) / own : Number.NaN;
}
