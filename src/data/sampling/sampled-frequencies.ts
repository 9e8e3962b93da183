import { type FrequencyGroup, frequencyGroup } from '../tables/findings.js';
import { type LabelledSamples, positiveClasses } from './expected-visits.js';
import type { Sampler } from './sampler.js';

/** What a sampler does to the classes: how often each is met in an epoch, against how often it is there. */

export interface SampledClass {
  readonly name: string;
  /** Images with a positive label. */
  readonly positives: number;
  /** Share of the images with a positive label, and the group of that share. */
  readonly before: number;
  readonly group: FrequencyGroup;
  /** Expected share of an epoch's visits with a positive label. */
  readonly after: number;
}

export interface SampledFrequencies {
  /** Visits of an epoch. */
  readonly length: number;
  readonly images: number;
  /** Images that no epoch is expected to visit. */
  readonly never: number;
  /** Most expected visits of one image. */
  readonly most: number;
  /** In the order of the classes. */
  readonly classes: readonly SampledClass[];
}

/** Expected class frequencies over an epoch of a sampler over these very samples. */
export function sampledFrequencies(samples: LabelledSamples, sampler: Sampler): SampledFrequencies {
  const positives = new Float64Array(samples.classes.length);
  const visited = new Float64Array(samples.classes.length);
  let never = 0;
  let most = 0;
  for (let i = 0; i < samples.length; i++) {
    const visits = sampler.expected[i] ?? 0;
    if (visits === 0) never++;
    most = Math.max(most, visits);
    for (const c of positiveClasses(samples, i)) {
      positives[c] = (positives[c] ?? 0) + 1;
      visited[c] = (visited[c] ?? 0) + visits;
    }
  }
  const classes = samples.classes.map((name, c) => {
    const before = (positives[c] ?? 0) / samples.length;
    const after = (visited[c] ?? 0) / sampler.length;
    return { name, positives: positives[c] ?? 0, before, group: frequencyGroup(before), after };
  });
  return { length: sampler.length, images: samples.length, never, most, classes };
}
