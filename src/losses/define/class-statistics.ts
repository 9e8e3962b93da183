import { LossError } from './loss-error.js';

/** What a loss may want to know of the training labels. */
export interface ClassStatistics {
  readonly classes: number;
  /** n_c: positive labels of each class. */
  readonly classCounts?: readonly number[] | undefined;
  /** N: training images. */
  readonly samples?: number | undefined;
  /** N_c: labels of each class that are known, where some are not; absent: all N. */
  readonly known?: readonly number[] | undefined;
}

/** Positive and negative labels of every class. A formula divides by them, so where there is none, one is counted. */
export interface LabelCounts {
  /** max(n_c, 1) */
  readonly positives: readonly number[];
  /** max(N_c − n_c, 1) */
  readonly negatives: readonly number[];
}

/** For losses that cannot do without; throws `LossError` where the counts are missing or cannot be. */
export function requireCounts(
  loss: string,
  { classes, classCounts, samples, known }: ClassStatistics,
): LabelCounts {
  if (!classCounts || samples === undefined) {
    throw new LossError(
      `loss "${loss}" with these parameters needs classCounts (positives a class) and samples (images)`,
    );
  }
  for (const [name, { length }] of Object.entries({ classCounts, ...(known && { known }) })) {
    if (length !== classes) throw new LossError(`loss "${loss}": ${length} ${name} for ${classes} classes`);
  }
  const negatives = classCounts.map((count, c) => {
    const of = known?.[c] ?? samples;
    if (!(of >= 0 && of <= samples)) {
      throw new LossError(
        `loss "${loss}": known[${c}] is ${of}, must lie between 0 and samples (${samples})`,
      );
    }
    if (!(count >= 0 && count <= of)) {
      throw new LossError(
        `loss "${loss}": classCounts[${c}] is ${count}, must lie between 0 and ${known ? 'known' : 'samples'} (${of})`,
      );
    }
    return Math.max(of - count, 1);
  });
  return { positives: classCounts.map((count) => Math.max(count, 1)), negatives };
}

/** log(π_c/(1 − π_c)) of every class, π_c = n_c/N_c. */
export function logOdds({ positives, negatives }: LabelCounts): number[] {
  return positives.map((count, c) => Math.log(count / (negatives[c] ?? 1)));
}

/**
 * (1 − β)/(1 − βⁿ) of every class: the inverse of the effective number of its n positives (Cui et al. 2019, arXiv
 * 1901.05555, eq. 2). @param beta in [0, 1)
 */
export function inverseEffectiveNumbers({ positives }: LabelCounts, beta: number): number[] {
  return positives.map((count) => (1 - beta) / -Math.expm1(count * Math.log(beta)));
}

/** Factors of any scale, scaled to a mean of 1 (a sum of C). */
export function withMeanOne(factors: readonly number[]): number[] {
  const mean = factors.reduce((sum, factor) => sum + factor, 0) / factors.length;
  return factors.map((factor) => factor / mean);
}
