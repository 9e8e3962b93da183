import { bootstrapP, checkedLevel } from './bootstrap.js';
import { labelCounts } from './class-measures.js';
import type { MatrixShape, Metric } from './class-metrics.js';
import { aurocComponents, differenceOfComponents } from './delong.js';
import { type Interval, noInterval, percentileInterval } from './interval.js';
import { MetricError } from './metric-error.js';
import { holm } from './multiple-tests.js';
import { numberPatients, overDraws, type PatientDraws } from './patient-draws.js';
import {
  DEFAULT_SPECIFICITIES,
  type Measures,
  measuresOf,
  ScoreSheet,
  type SheetSettings,
  type Statistic,
} from './score-sheet.js';
import type { Ranking } from './tally.js';

/** Two models on the same images and labels: which is better, by how much, and whether that can be luck of the patients. */

/** `resamples`: 1,000 when absent, or more where the correction for many classes needs more. */
export interface CompareScoresOptions extends MatrixShape, PatientDraws, SheetSettings {
  /** [classes]: the group each class belongs to, such as head, medium or tail. */
  readonly groups?: readonly string[] | undefined;
  readonly level?: number;
}

/** One metric of both models. */
export interface ComparedMetric {
  readonly first: number;
  readonly second: number;
  /** Second minus first. For Brier score and ECE, less is better. */
  readonly difference: Interval;
  /** Two-sided p-value of no difference: DeLong's of one class's AUROC, the bootstrap's else; NaN where there is none. */
  readonly p: number;
  /** Of classes, corrected after Holm for all classes that are tested by the same metric; of averages, the same as `p`. */
  readonly corrected: number;
}

export interface ComparedClass extends Measures<ComparedMetric> {
  readonly name: string;
  readonly group: string | null;
  readonly known: number;
  readonly positives: number;
  readonly prevalence: number;
}

export interface ComparedScores {
  readonly images: number;
  readonly patients: number;
  readonly drawn: 'patients' | 'images';
  readonly level: number;
  readonly resamples: number;
  readonly specificities: readonly number[];
  /** [classes] */
  readonly perClass: readonly ComparedClass[];
  readonly macro: Measures<ComparedMetric>;
  readonly micro: Measures<ComparedMetric>;
  readonly weighted: Measures<ComparedMetric>;
  /** Macro means within each group. */
  readonly groups: Readonly<Record<string, Measures<ComparedMetric>>>;
}

/**
 * Differences of two models with intervals: the percentile bootstrap over patients, the same draws for both (BCa finds too
 * many differences here, see docs/intervals.md), and DeLong's for the AUROC of a class.
 * @param first @param second [n · classes] scores of either model
 * @param targets [n · classes] of 1, 0 or NaN (unknown)
 * @throws MetricError as `measureScores`
 */
export function compareScores(
  first: ArrayLike<number>,
  second: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: CompareScoresOptions,
): ComparedScores {
  const { n, classNames, groups, specificities = DEFAULT_SPECIFICITIES } = options;
  if (groups !== undefined && groups.length !== classNames.length) {
    throw new MetricError(
      `${groups.length} groups for ${classNames.length} classes: give one for each class.`,
    );
  }
  const level = checkedLevel(options);
  const patients = numberPatients(options);
  const [a, b] = [first, second].map(
    (scores) => new ScoreSheet(scores, targets, { ...options, pooled: true }),
  ) as [ScoreSheet, ScoreSheet];
  const measure = (weights?: Uint32Array) => [a.measure(weights), b.measure(weights)] as const;
  const [before, after] = measure();
  const draws = overDraws({ resamples: enoughDraws(classNames.length), ...options }, measure, patients);
  const compare = (statistic: Statistic, reason: string | null): ComparedMetric => {
    const [one, two] = [statistic(before), statistic(after)];
    if (reason !== null) {
      const difference = noInterval(two - one, level, 0, reason);
      return { first: one, second: two, difference, p: Number.NaN, corrected: Number.NaN };
    }
    const differences = draws.map((values) => statistic(values[1]) - statistic(values[0]));
    const difference = percentileInterval(two - one, differences, level);
    const p = difference.whyMissing === null ? bootstrapP(differences) : Number.NaN;
    return { first: one, second: two, difference, p, corrected: p };
  };
  const average = (
    of: (metric: Metric) => Statistic,
    why: (sheet: ScoreSheet, metric: Metric) => string | null,
  ) => measuresOf(options, (metric) => compare(of(metric), why(a, metric) ?? why(b, metric)));
  const macro = (only?: readonly number[]) =>
    average(
      (metric) => a.macro(metric, only),
      (sheet, metric) => sheet.whyNoMean(metric, patients, only),
    );
  const ofClass = (metric: Metric, c: number): ComparedMetric => {
    const statistic = a.ofClass(metric, c);
    if (metric !== 'auroc') {
      return compare(statistic, a.whyNoInterval(metric, c, patients) ?? b.whyNoInterval(metric, c, patients));
    }
    const components = (sheet: ScoreSheet) =>
      aurocComponents(sheet.rankings[c] as Ranking, patients, sheet.counts[c]);
    const { interval, p } = differenceOfComponents(components(a), components(b), level);
    return { first: statistic(before), second: statistic(after), difference: interval, p, corrected: p };
  };
  const ofClasses = new Map<Metric, readonly ComparedMetric[]>();
  measuresOf(options, (metric) => {
    ofClasses.set(metric, corrected(classNames.map((_, c) => ofClass(metric, c))));
  });
  return {
    images: n,
    patients: patients.count,
    drawn: options.patients?.some((patient) => patient !== null) ? 'patients' : 'images',
    level,
    resamples: draws.length,
    specificities,
    perClass: classNames.map((name, c) => ({
      name,
      group: groups?.[c] ?? null,
      ...labelCounts(a, c),
      ...measuresOf(options, (metric) => ofClasses.get(metric)?.[c] as ComparedMetric),
    })),
    macro: macro(),
    micro: average(
      (metric) => a.micro(metric),
      (sheet, metric) => sheet.whyNoInterval(metric, sheet.classes, patients),
    ),
    weighted: average(
      (metric) => a.weighted(metric),
      (sheet, metric) => sheet.whyNoMean(metric, patients),
    ),
    groups: Object.fromEntries(
      Array.from(new Set(groups), (group) => [
        group,
        macro(classNames.flatMap((_, c) => (groups?.[c] === group ? [c] : []))),
      ]),
    ),
  };
}

/**
 * The least p-value of draws is 2 / (draws + 1), and is multiplied by the number of classes: with fewer draws than half of
 * these, no difference of a class could reach 0.05.
 */
function enoughDraws(classes: number): number {
  return Math.max(1000, 80 * classes);
}

/** With p-values corrected for the number of those that there are. */
function corrected(compared: readonly ComparedMetric[]): ComparedMetric[] {
  const values = holm(compared.map(({ p }) => p));
  return compared.map((each, i) => ({ ...each, corrected: values[i] ?? Number.NaN }));
}
