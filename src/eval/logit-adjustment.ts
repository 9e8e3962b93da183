/**
 * Post-hoc logit adjustment (Menon et al. 2021, arXiv 2007.07314, eq. 9) in its sigmoid form: what a class owes to its
 * frequency in training is taken off its logit, x − τ·log(π/(1 − π)). Rare classes are raised, frequent ones lowered.
 *
 * A constant shift of a class leaves the order of its images as it is: AP and AUROC, class by class and in the mean, do
 * not change. Measures with a threshold and comparisons of classes do change: F1 at 0.5, calibration, the top finding.
 */

/**
 * @param prevalence π of each class in training; null where unknown
 * @param tau how much of the prior is taken off; 1: all of it
 * @returns the number to add to each class's logit; null where π is unknown, 0 or 1, so that there is nothing to take off
 */
export function logitShifts(prevalence: readonly (number | null)[], tau: number): (number | null)[] {
  return prevalence.map((share) =>
    share !== null && share > 0 && share < 1 ? -tau * Math.log(share / (1 - share)) : null,
  );
}

/** σ(logit(p) + shift); 0 and 1 stay 0 and 1. @param p in [0, 1] */
export function shiftProbability(p: number, shift: number): number {
  if (p <= 0 || p >= 1) return p;
  return 1 / (1 + ((1 - p) / p) * Math.exp(-shift));
}
