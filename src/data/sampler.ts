import { Random } from '../engine/random.js';

/**
 * Which samples an epoch visits, in which order. A sampler is a pure function of the epoch, so that a run resumed in
 * the middle of one continues as if it had never stopped. It may repeat positions (rare classes) or leave some out.
 */
export type Sampler = (epoch: number) => Int32Array;

/** Every position once, in the data set's order: for evaluation. */
export function sequentialSampler(length: number): Sampler {
  const order = Int32Array.from({ length }, (_, i) => i);
  return () => order.slice();
}

/** Every position once, shuffled anew each epoch. */
export function shuffledSampler(length: number, seed: number): Sampler {
  const positions = Array.from({ length }, (_, i) => i);
  return (epoch) => Int32Array.from(new Random(seed, 'shuffle', epoch).shuffle(positions));
}
