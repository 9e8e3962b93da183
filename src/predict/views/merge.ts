/**
 * How the scores of several views of an image become one, element by element. Geometric mean and median are as the
 * challenge's winner has them (arXiv 2602.13430): 1e-8 under the logarithm, and the lower of two middle values.
 */
export const MERGES = ['mean', 'logit-mean', 'max', 'gmean', 'median'] as const;
export type Merge = (typeof MERGES)[number];

export interface MergeRule {
  /** What is merged. */
  readonly of: 'logits' | 'probabilities';
  /** @param values one for each view; may be reordered */
  combine(values: Float64Array): number;
}

export function mergeRule(merge: Merge): MergeRule {
  return RULES[merge];
}

const RULES: Readonly<Record<Merge, MergeRule>> = {
  mean: { of: 'probabilities', combine: mean },
  'logit-mean': { of: 'logits', combine: mean },
  max: { of: 'probabilities', combine: (values) => values.reduce((a, b) => Math.max(a, b), 0) },
  gmean: {
    of: 'probabilities',
    combine: (values) => Math.min(Math.exp(mean(values.map((p) => Math.log(p + 1e-8)))), 1),
  },
  median: { of: 'probabilities', combine: (values) => values.sort()[(values.length - 1) >> 1] as number },
};

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
