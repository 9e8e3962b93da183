import { Random } from '../../engine/random.js';
import { drawVisits, spreadVisits } from './visit-order.js';

/**
 * Which samples an epoch visits, in which order. Everything about an epoch is a pure function of its number, so that a
 * run resumed in the middle of one continues as if it had never stopped.
 */
export interface Sampler {
  /** Visits of an epoch, repeats included; every epoch has as many, so that a run's steps are known beforehand. */
  readonly length: number;
  /** [positions of the data set] how often an epoch is expected to visit each. */
  readonly expected: Float64Array;
  /** [length] the positions to visit in epoch `epoch` (from 0), in order. */
  order(epoch: number): Int32Array;
}

/** Every position once, in the data set's order: for evaluation. */
export function sequentialSampler(length: number): Sampler {
  const positions = Int32Array.from({ length }, (_, i) => i);
  return { length, expected: new Float64Array(length).fill(1), order: () => positions.slice() };
}

/** Every position once, shuffled anew each epoch. */
export function shuffledSampler(length: number, seed: number): Sampler {
  const positions = Array.from({ length }, (_, i) => i);
  return {
    length,
    expected: new Float64Array(length).fill(1),
    order: (epoch) => Int32Array.from(new Random(seed, 'shuffle', epoch).shuffle(positions)),
  };
}

/**
 * Visits each position as often as expected, rounded up or down by chance where that is no whole number, and spreads
 * the visits of one position over the epoch.
 * @param expected [positions] visits of an epoch, finite and ≥ 0; fractions stand for chances
 */
export function weightedSampler(expected: Float64Array, seed: number): Sampler {
  const sum = expected.reduce((total, visits) => total + visits, 0);
  // sums of fractions miss whole numbers by a few bits
  const length = Math.floor(sum + 1e-6);
  return {
    length,
    expected,
    order: (epoch) => {
      const visits = drawVisits(expected, new Random(seed, 'visits', epoch));
      // where the sum has a fraction, chance may bring one visit more than in other epochs
      return spreadVisits(visits, new Random(seed, 'visit order', epoch)).slice(0, length);
    },
  };
}
