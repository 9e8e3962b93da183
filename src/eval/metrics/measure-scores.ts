import type { SubgroupColumn } from '../../data/tables/subgroup-columns.js';
import { checkedLevel } from './bootstrap.js';
import { type ClassMeasures, classMeasures, labelCounts } from './class-measures.js';
import type { MatrixShape, Metric } from './class-metrics.js';
import type { Interval } from './interval.js';
import { MetricError } from './metric-error.js';
import { leavingOut, numberPatients, overDraws, type PatientDraws } from './patient-draws.js';
import { Resampling } from './resampling.js';
import {
  DEFAULT_SPECIFICITIES,
  type Measures,
  measuresOf,
  ScoreSheet,
  type SheetSettings,
  type Statistic,
} from './score-sheet.js';
import { type MeasuredColumn, openSubgroups } from './subgroups.js';

export interface MeasureOptions extends MatrixShape, PatientDraws, SheetSettings {
  /** [classes]: the group each class belongs to, such as head, medium or tail (see `groupsByPrevalence`). */
  readonly groups?: readonly string[] | undefined;
  /** Columns that part the images, such as sex or view. */
  readonly subgroups?: readonly SubgroupColumn[] | undefined;
  /** Coverage of all intervals in (0, 1); 0.95 when absent. */
  readonly level?: number;
}

/** A macro mean over the classes of a group. */
export interface GroupMeasures extends Measures<Interval> {
  readonly classes: readonly string[];
}

export interface MeasuredScores {
  readonly images: number;
  /** Without identifiers, each image is a patient of its own. */
  readonly patients: number;
  /** Whether patients were drawn, or images for want of patient identifiers. */
  readonly drawn: 'patients' | 'images';
  readonly level: number;
  /** Draws that were made. */
  readonly resamples: number;
  /** Of `sensitivity`, in its order. */
  readonly specificities: readonly number[];
  /** [classes] of F1 where each class had one of its own; else null. */
  readonly thresholds: readonly number[] | null;
  /** [classes] */
  readonly perClass: readonly ClassMeasures[];
  /** The mean over the classes that have each metric. */
  readonly macro: Measures<Interval>;
  /** All known labels of all classes in one pool. */
  readonly micro: Measures<Interval>;
  /** The mean over classes weighted by their positives. */
  readonly weighted: Measures<Interval>;
  /** Macro means within each group, in the order the groups first occur; empty without `groups`. */
  readonly groups: Readonly<Record<string, GroupMeasures>>;
  /** A part for each column that was given. */
  readonly subgroups: readonly MeasuredColumn[];
}

/**
 * All that can be said of a model's scores, every number with an interval or with the reason why it has none: per class,
 * averaged over classes as scikit-learn's `average=` has it (macro, micro, weighted), within groups of classes, and within
 * subgroups of the images with the gaps between them. Classes that can't have a metric are left out of its means.
 *
 * Intervals are over patients: of one class's AUROC DeLong's on the logit scale (Obuchowski's for several images of a
 * patient), of everything else the bootstrap's with BCa, all on the same draws. `interval.method` says which,
 * `interval.whyMissing` why there is none. docs/intervals.md has how often they hold the true value.
 *
 * 1,000 draws over 20,000 images × 36 classes take some seconds.
 * @param scores [n · classes] finite, higher meaning more likely; probabilities if Brier score and ECE are wanted
 * @param targets [n · classes] of 1, 0 or NaN (unknown: that image doesn't count for that class)
 * @throws MetricError naming row and class for scores that are not finite and for targets other than 0, 1 or NaN, and for
 *   lists whose lengths don't fit
 */
export function measureScores(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: MeasureOptions,
): MeasuredScores {
  const { n, classNames, groups, thresholds, specificities = DEFAULT_SPECIFICITIES } = options;
  if (groups !== undefined && groups.length !== classNames.length) {
    throw new MetricError(
      `${groups.length} groups for ${classNames.length} classes: give one for each class.`,
    );
  }
  const level = checkedLevel(options);
  const patients = numberPatients(options);
  const sheet = new ScoreSheet(scores, targets, { ...options, pooled: true });
  const subgroups = openSubgroups(scores, targets, options, patients);
  const measure = (weights?: Uint32Array) =>
    [sheet, ...subgroups.sheets].map((each) => each.measure(weights));
  const whole = new Resampling(
    measure(),
    overDraws(options, measure, patients),
    leavingOut(options, measure, patients),
  );
  const interval = (statistic: Statistic, reason: string | null) =>
    whole.interval(([values]) => statistic(values as Float64Array), reason, level);
  const average = (of: (metric: Metric) => Statistic, why: (metric: Metric) => string | null) =>
    measuresOf(options, (metric) => interval(of(metric), why(metric)));
  const macro = (only?: readonly number[]) =>
    average(
      (metric) => sheet.macro(metric, only),
      (metric) => sheet.whyNoMean(metric, patients, only),
    );
  return {
    images: n,
    patients: patients.count,
    drawn: options.patients?.some((patient) => patient !== null) ? 'patients' : 'images',
    level,
    resamples: whole.draws.length,
    specificities,
    thresholds: thresholds ?? null,
    perClass: classNames.map((name, c) => ({
      name,
      group: groups?.[c] ?? null,
      ...labelCounts(sheet, c),
      ...classMeasures({ sheet, c, settings: options, patients, level }, interval),
    })),
    macro: macro(),
    micro: average(
      (metric) => sheet.micro(metric),
      (metric) => sheet.whyNoInterval(metric, sheet.classes, patients),
    ),
    weighted: average(
      (metric) => sheet.weighted(metric),
      (metric) => sheet.whyNoMean(metric, patients),
    ),
    groups: Object.fromEntries(
      Array.from(new Set(groups), (group) => {
        const members = classNames.flatMap((_, c) => (groups?.[c] === group ? [c] : []));
        return [group, { classes: members.map((c) => classNames[c] as string), ...macro(members) }] as const;
      }),
    ),
    subgroups: subgroups.measured(whole, level),
  };
}
