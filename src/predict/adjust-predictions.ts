import { logitShifts, shiftProbability } from '../eval/logit-adjustment.js';
import type { Predictions } from './predictions.js';

/** Predictions whose logits had the class priors taken off. */
export interface AdjustedPredictions {
  readonly predictions: Predictions;
  /** Classes that are as they were, since nothing is known of their prevalence in training or it is 0 or 1. */
  readonly unadjusted: readonly string[];
}

/** @param prevalence [classes] in training, as a checkpoint has it @param tau see `logitShifts` */
export function adjustPredictions(
  { classes, rows }: Predictions,
  prevalence: readonly (number | null)[],
  tau: number,
): AdjustedPredictions {
  const shifts = logitShifts(prevalence, tau);
  return {
    predictions: {
      classes,
      rows: rows.map((row) => ({
        ...row,
        probabilities:
          row.probabilities &&
          Float32Array.from(row.probabilities, (p, c) => shiftProbability(p, shifts[c] ?? 0)),
      })),
    },
    unadjusted: classes.filter((_, c) => shifts[c] === null || shifts[c] === undefined),
  };
}

/** What was done, in a sentence. */
export function describeAdjustment(tau: number, { unadjusted }: AdjustedPredictions): string {
  const left = unadjusted.length > 0 ? `; left as they are: ${unadjusted.join(', ')}` : '';
  return `logits adjusted by the class frequencies of the training, tau ${tau}${left}.`;
}
