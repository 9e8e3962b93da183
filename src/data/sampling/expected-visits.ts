import { TailrayError } from '../../engine/errors.js';

/**
 * How often a sampler of the long-tailed literature visits each sample in an epoch, as an expected number. A label of 1
 * is a positive; 0 and unknown (NaN) are not: what is balanced is how often the network is shown a finding, and an
 * unknown label shows none.
 */

/** Labels of the samples to choose from; a `Dataset` is one. */
export interface LabelledSamples {
  readonly length: number;
  readonly classes: readonly string[];
  /** [classes] of 1, 0, NaN = unknown. */
  labels(position: number): ArrayLike<number>;
}

/** A sampler that leaves nothing to train on. */
export class SamplerError extends TailrayError {}

/** What the frequency of a class is measured against. */
export type FrequencyBase = 'label-mass' | 'images';

export interface RepeatFactorOptions {
  /**
   * `label-mass`: f_c = n_c / Σ_k n_k, its share of all positive labels (arXiv 2602.13430); `images`: f_c = n_c / N, the
   * share of images that have it (LVIS, Gupta et al. 2019, arXiv 1908.03195, appendix B.2).
   */
  readonly frequency: FrequencyBase;
  /** Classes below this frequency are repeated; in (0, 1]. */
  readonly threshold: number;
  /** Most visits of one sample; false for no limit. */
  readonly cap: number | false;
  /** `nearest`: whole numbers, halves up; `stochastic`: left as they are, for the sampler to round by chance. */
  readonly rounding: 'nearest' | 'stochastic';
}

/**
 * Repeat factors: r_c = max(1, √(threshold / f_c)); a sample is visited as often as its rarest finding asks for,
 * r_i = max over its positives of r_c, at most `cap` times. One without positives is visited once.
 * @returns [samples.length] expected visits, ≥ 1
 */
export function repeatFactorVisits(samples: LabelledSamples, options: RepeatFactorOptions): Float64Array {
  const { frequency, threshold, cap, rounding } = options;
  const counts = positivesOf(samples);
  const base = frequency === 'images' ? samples.length : counts.reduce((sum, n) => sum + n, 0);
  const ofClass = counts.map((n) => Math.max(1, Math.sqrt((threshold * base) / n)));
  return Float64Array.from({ length: samples.length }, (_, i) => {
    let factor = 1;
    for (const c of positiveClasses(samples, i)) factor = Math.max(factor, ofClass[c] ?? 1);
    if (cap !== false) factor = Math.min(factor, cap);
    return rounding === 'nearest' ? Math.round(factor) : factor;
  });
}

export interface ClassDrawOptions {
  /**
   * A class is drawn with probability ∝ n_c^power: 0 draws classes uniformly (class-aware sampling, Shen et al. 2016,
   * arXiv 1512.05830), ½ is square-root sampling (Mahajan et al. 2018, arXiv 1805.00932).
   */
  readonly power: number;
  /** Visits of an epoch, as a multiple of the samples; the number of visits is rounded. */
  readonly epochFactor: number;
  /** Samples without a positive count as one class more, or are never drawn. */
  readonly withoutPositives: 'class' | 'never';
}

/**
 * Sampling in two draws: a class, then one of the samples that have it. A sample with several findings can be drawn by
 * each, so its visits are the sum over its positives of L·p_c/n_c, with L visits in an epoch. Classes without positives
 * are never drawn.
 * @returns [samples.length] expected visits, of sum L
 * @throws SamplerError when there is nothing to draw
 */
export function classDrawVisits(samples: LabelledSamples, options: ClassDrawOptions): Float64Array {
  const { power, epochFactor, withoutPositives } = options;
  const counts = positivesOf(samples);
  const without = noPositives(samples);
  const drawn = withoutPositives === 'class' ? [...counts, without] : counts;
  const weights = drawn.map((n) => (n > 0 ? n ** power : 0));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (total === 0) {
    throw new SamplerError(
      'no training image has a positive label, so there is no class to draw: use the shuffled sampler.',
    );
  }
  const length = Math.max(1, Math.round(samples.length * epochFactor));
  const share = weights.map((weight, c) => (weight > 0 ? (length * weight) / total / (drawn[c] ?? 1) : 0));
  return Float64Array.from({ length: samples.length }, (_, i) => {
    const positives = positiveClasses(samples, i);
    if (positives.length === 0) return share[samples.classes.length] ?? 0;
    return positives.reduce((sum, c) => sum + (share[c] ?? 0), 0);
  });
}

/** The classes that a sample is positive for. */
export function positiveClasses(samples: LabelledSamples, position: number): number[] {
  const labels = samples.labels(position);
  const positives: number[] = [];
  for (let c = 0; c < labels.length; c++) if ((labels[c] ?? 0) > 0) positives.push(c);
  return positives;
}

function positivesOf(samples: LabelledSamples): number[] {
  const counts = new Array<number>(samples.classes.length).fill(0);
  for (let i = 0; i < samples.length; i++) {
    for (const c of positiveClasses(samples, i)) counts[c] = (counts[c] ?? 0) + 1;
  }
  return counts;
}

function noPositives(samples: LabelledSamples): number {
  let count = 0;
  for (let i = 0; i < samples.length; i++) if (positiveClasses(samples, i).length === 0) count++;
  return count;
}
