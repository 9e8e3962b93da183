import { bootstrapMetrics } from '../eval/metrics/bootstrap.js';
import type { Interval } from '../eval/metrics/interval.js';
import { type Summary, summarize } from '../eval/metrics/summarize.js';

/** Macro means as they are logged: null where no class has the metric. */
export interface MacroScores extends Readonly<Record<string, number | null>> {
  readonly mAP: number | null;
  readonly auroc: number | null;
  readonly f1: number | null;
  readonly bestF1: number | null;
  readonly ece: number | null;
  /** mAP of a guess that scores all images alike. */
  readonly prevalenceGuess: number | null;
}

/** All metrics of a data set. @param probabilities @param targets [n, classes]; targets may be NaN (unknown) */
export function scoreDataset(
  probabilities: Float32Array,
  targets: Float32Array,
  classNames: readonly string[],
): Summary {
  const classes = classNames.length;
  return summarize(probabilities, targets, { n: targets.length / classes, classes, classNames });
}

export function macroScores({ macro }: Summary): MacroScores {
  const value = (number: number) => (Number.isFinite(number) ? number : null);
  return {
    mAP: value(macro.mAP),
    auroc: value(macro.auroc),
    f1: value(macro.f1),
    bestF1: value(macro.bestF1),
    ece: value(macro.ece),
    prevalenceGuess: value(macro.prevalenceGuess),
  };
}

/** The two ends of a 95 % interval; null where there is none. */
export type IntervalEnds = Pick<Interval, 'low' | 'high'> | null;

/** How sure the macro means are. */
export type MacroIntervals = Readonly<Record<'mAP' | 'auroc', IntervalEnds>>;

/**
 * BCa intervals over patients, from 1,000 draws.
 * @param probabilities @param targets [n, classes], as for `scoreDataset`
 * @param patients [n]: null takes the image as a patient of its own
 */
export function macroIntervals(
  probabilities: Float32Array,
  targets: Float32Array,
  classNames: readonly string[],
  patients: readonly (string | null)[],
): MacroIntervals {
  const classes = classNames.length;
  const shape = { n: targets.length / classes, classes, classNames, patients };
  const bootstrapped = bootstrapMetrics(['mAP', 'auroc'], probabilities, targets, shape);
  const ends = (metric: 'mAP' | 'auroc'): IntervalEnds => {
    const { low, high, whyMissing } = bootstrapped.mean(metric);
    return whyMissing === null ? { low, high } : null;
  };
  return { mAP: ends('mAP'), auroc: ends('auroc') };
}
