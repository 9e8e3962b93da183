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
