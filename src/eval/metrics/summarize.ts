import { type FrequencyGroup, frequencyGroup } from '../../data/tables/findings.js';
import {
  classMetric,
  type MatrixShape,
  METRIC_NAMES,
  type MetricName,
  type MetricSettings,
  meanOfDefined,
  rankClasses,
  whyUndefined,
} from './class-metrics.js';
import { tallyBestF1 } from './f1.js';
import { MetricError } from './metric-error.js';
import { type Tally, tally } from './tally.js';

/**
 * The table at the end of an evaluation: every metric of every class, and their macro means. A class that cannot have a
 * metric (no positives, say) is left out of that metric's mean and named, never counted as 0.
 */

export interface SummarizeOptions extends MatrixShape, MetricSettings {
  /** [classes]: the group each class belongs to, such as head, medium or tail (see `groupsByPrevalence`). */
  readonly groups?: readonly string[];
  /** [classes]: of each class for `f1`, instead of `threshold`. */
  readonly thresholds?: readonly number[] | undefined;
}

/** One class's row. NaN: the class cannot have that metric. */
export interface ClassSummary {
  readonly name: string;
  readonly group: string | null;
  /** Images whose target is known. */
  readonly known: number;
  readonly positives: number;
  /** positives / known: also the average precision of a constant guess. */
  readonly prevalence: number;
  /** Average precision. */
  readonly ap: number;
  readonly auroc: number;
  /** F1 at the threshold asked for, of all classes or of this one. */
  readonly f1: number;
  /** F1 at the best threshold on these very images (flattering), and that threshold. */
  readonly bestF1: number;
  readonly bestThreshold: number;
  /** Expected calibration error; NaN also when the class's scores are not probabilities. */
  readonly ece: number;
}

/** Means over the classes that have each metric; NaN when none has. */
export interface MacroMeans extends Readonly<Record<MetricName, number>> {
  /** mAP of a guess that gives every image the same score: the mean prevalence over the classes that count for mAP. */
  readonly prevalenceGuess: number;
}

/** A class that doesn't count in some means. */
export interface LeftOut {
  readonly name: string;
  readonly metrics: readonly MetricName[];
  /** Such as "no positive target". */
  readonly reason: string;
}

export interface Summary {
  readonly perClass: readonly ClassSummary[];
  readonly macro: MacroMeans;
  /** Macro means within each group, in the order the groups first occur; empty without `groups`. */
  readonly groups: Readonly<Record<string, MacroMeans & { readonly classes: readonly string[] }>>;
  readonly leftOut: readonly LeftOut[];
}

/**
 * All metrics of a [n, classes] matrix of predictions.
 * @param scores [n · classes] finite, higher meaning more likely; probabilities if the calibration error is wanted
 * @param targets [n · classes] of 1, 0 or NaN (unknown: that image doesn't count for that class)
 * @throws MetricError naming row and class for NaN or infinite scores and for targets other than 0, 1 or NaN
 */
export function summarize(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: SummarizeOptions,
): Summary {
  const { classNames, groups, thresholds } = options;
  if (thresholds !== undefined && thresholds.length !== classNames.length) {
    throw new MetricError(
      `${thresholds.length} thresholds for ${classNames.length} classes: give one for each class.`,
    );
  }
  if (groups !== undefined && groups.length !== classNames.length) {
    throw new MetricError(
      `${groups.length} groups for ${classNames.length} classes: give one for each class.`,
    );
  }
  const perClass: ClassSummary[] = [];
  const leftOut: LeftOut[] = [];
  for (const [c, ranking] of rankClasses(scores, targets, options).entries()) {
    const name = classNames[c] as string;
    const counted = tally(ranking);
    const threshold = thresholds?.[c] ?? options.threshold ?? 0.5;
    perClass.push(summarizeClass(name, groups?.[c] ?? null, counted, { ...options, threshold }));
    leftOut.push(...whatIsLeftOut(name, counted));
  }
  const byGroup = Array.from(new Set(groups), (group) => {
    const members = perClass.filter((row) => row.group === group);
    return [group, { ...macroMeans(members), classes: members.map((row) => row.name) }] as const;
  });
  return { perClass, macro: macroMeans(perClass), groups: Object.fromEntries(byGroup), leftOut };
}

/**
 * The challenge's head (> 10 %), medium and tail (< 1 %) groups.
 * @param prevalences [classes] fractions in [0, 1], of the training images
 */
export function groupsByPrevalence(prevalences: ArrayLike<number>): FrequencyGroup[] {
  return Array.from(prevalences, frequencyGroup);
}

function summarizeClass(
  name: string,
  group: string | null,
  counted: Tally,
  settings: MetricSettings,
): ClassSummary {
  const known = counted.positiveTotal + counted.negativeTotal;
  return {
    name,
    group,
    known,
    positives: counted.positiveTotal,
    prevalence: counted.positiveTotal / known,
    ap: classMetric('mAP', counted, settings),
    auroc: classMetric('auroc', counted, settings),
    f1: classMetric('f1', counted, settings),
    bestF1: classMetric('bestF1', counted, settings),
    bestThreshold: tallyBestF1(counted).threshold,
    ece: classMetric('ece', counted, settings),
  };
}

/** The metrics a class cannot have, gathered by reason. */
function whatIsLeftOut(name: string, counted: Tally): LeftOut[] {
  const byReason = new Map<string, MetricName[]>();
  for (const metric of METRIC_NAMES) {
    const reason = whyUndefined(metric, counted);
    if (reason !== null) byReason.set(reason, [...(byReason.get(reason) ?? []), metric]);
  }
  return Array.from(byReason, ([reason, metrics]) => ({ name, metrics, reason }));
}

function macroMeans(rows: readonly ClassSummary[]): MacroMeans {
  return {
    mAP: meanOfDefined(rows.map((row) => row.ap)),
    auroc: meanOfDefined(rows.map((row) => row.auroc)),
    f1: meanOfDefined(rows.map((row) => row.f1)),
    bestF1: meanOfDefined(rows.map((row) => row.bestF1)),
    ece: meanOfDefined(rows.map((row) => row.ece)),
    prevalenceGuess: meanOfDefined(rows.filter((row) => !Number.isNaN(row.ap)).map((row) => row.prevalence)),
  };
}
