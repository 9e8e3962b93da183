/**
 * τ-normalised classifier (Kang et al., "Decoupling Representation and Classifier for Long-Tailed Recognition", ICLR 2020,
 * arXiv 1910.09217, eq. 6): a linear classifier's rows get longer with the frequency of their class, so each is divided by
 * a power of its length, w_c / ‖w_c‖^τ.
 *
 * With a sigmoid for each class, two things differ from the softmax of the paper. A common factor of all rows is not free,
 * so lengths are taken relative to their geometric mean. And the bias, which the paper drops, is where a class's frequency
 * is, so it stays: x' = b + (x − b)·(g/‖w_c‖)^τ. That is a rising function of x, so AP and AUROC, class by class and in
 * the mean, do not change. Measures with a threshold and comparisons of classes do change: F1 at 0.5, calibration.
 */

/** The facts about a linear classifier that normalisation needs. */
export interface ClassifierRows {
  /** [classes] ‖w_c‖ > 0 */
  readonly lengths: readonly number[];
  /** [classes] */
  readonly biases: readonly number[];
}

/** (g/‖w_c‖)^τ of each class. @param tau 0: nothing; 1: rows of equal length */
export function tauFactors({ lengths }: ClassifierRows, tau: number): number[] {
  const mean = lengths.reduce((sum, length) => sum + Math.log(length), 0) / lengths.length;
  return lengths.map((length) => Math.exp(tau * (mean - Math.log(length))));
}

/** σ(b + (logit(p) − b)·factor); 0 and 1 stay 0 and 1. @param p in [0, 1] */
export function scaleProbability(p: number, bias: number, factor: number): number {
  if (p <= 0 || p >= 1) return p;
  const logit = Math.log(p) - Math.log1p(-p);
  return 1 / (1 + Math.exp(-(bias + (logit - bias) * factor)));
}
