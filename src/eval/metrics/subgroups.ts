import type { SubgroupColumn } from '../../data/tables/subgroup-columns.js';
import { type ClassMeasures, classMeasures, labelCounts } from './class-measures.js';
import type { MatrixShape, Metric } from './class-metrics.js';
import type { Interval } from './interval.js';
import { MetricError } from './metric-error.js';
import type { NumberedPatients } from './patient-draws.js';
import type { Resampling } from './resampling.js';
import { type Measures, measuresOf, ScoreSheet, type SheetSettings } from './score-sheet.js';

/**
 * The same model on parts of the images: by sex, age, view, device. A gap between two subgroups can be the model's, or that of
 * how often and how severely either has the findings. Average precision rises with prevalence, AUROC does not.
 */

/** One value of a column. */
export interface MeasuredSubgroup {
  readonly value: string;
  readonly images: number;
  readonly patients: number;
  /** Why nothing is said of it, such as "only 4 patients"; null where `measures` are there. */
  readonly whyMissing: string | null;
  readonly measures: SubgroupMeasures | null;
  /** From the column's largest subgroup; null for that itself and where nothing is said. */
  readonly gap: SubgroupGap | null;
}

export interface SubgroupMeasures {
  /** [classes] */
  readonly perClass: readonly Omit<ClassMeasures, 'group'>[];
  /** The mean over the classes that have each metric among these images. */
  readonly macro: Measures<Interval>;
}

/** This subgroup minus the largest one, on the same draws of patients. */
export interface SubgroupGap {
  /** The value of the largest subgroup. */
  readonly against: string;
  /** The mean over the classes that both have, which can be fewer than either's own. */
  readonly macro: Measures<Interval>;
  /** How many classes have positives in both. */
  readonly classes: number;
}

export interface MeasuredColumn {
  readonly name: string;
  /** The largest first. */
  readonly subgroups: readonly MeasuredSubgroup[];
  /** Images whose value is not known: they are in no subgroup. */
  readonly unknown: number;
}

/** With fewer patients nothing is said of a subgroup. */
export const LEAST_PATIENTS = 20;

/** Most values of a column that are measured; the others are too many to compare, such as serial numbers. */
const MOST_VALUES = 8;

interface OpenSubgroup {
  readonly value: string;
  readonly images: number;
  readonly patients: number;
  readonly whyMissing: string | null;
  readonly sheet: ScoreSheet | null;
}

export interface OpenSubgroups {
  /** Of all subgroups that are measured. */
  readonly sheets: readonly ScoreSheet[];
  /** @param resampled whose sheets after the first are `sheets` */
  measured(resampled: Resampling, level: number): MeasuredColumn[];
}

/** @throws MetricError for a column whose length is not `n` */
export function openSubgroups(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: MatrixShape & SheetSettings & { readonly subgroups?: readonly SubgroupColumn[] | undefined },
  patients: NumberedPatients,
): OpenSubgroups {
  const { n, classes, classNames } = options;
  const columns = (options.subgroups ?? []).map(({ name, values }) => {
    if (values.length !== n) {
      throw new MetricError(`${values.length} values of "${name}" for ${n} images: give one for each image.`);
    }
    const images = new Map<string, number[]>();
    for (const [i, value] of values.entries()) {
      if (value === null) continue;
      const members = images.get(value) ?? [];
      members.push(i);
      images.set(value, members);
    }
    const bySize = [...images].sort(
      ([a, those], [b, others]) => others.length - those.length || (a < b ? -1 : 1),
    );
    const subgroups = bySize.map(([value, members], rank): OpenSubgroup => {
      const count = new Set(members.map((i) => patients.indexOf[i])).size;
      const whyMissing =
        count < LEAST_PATIENTS
          ? `only ${count} ${count === 1 ? 'patient' : 'patients'}, fewer than ${LEAST_PATIENTS}`
          : rank >= MOST_VALUES
            ? `not among the ${MOST_VALUES} largest of ${bySize.length}`
            : null;
      const facts = { value, images: members.length, patients: count, whyMissing };
      if (whyMissing !== null) return { ...facts, sheet: null };
      const own = new Float32Array(n * classes).fill(Number.NaN);
      for (const i of members) {
        for (let c = 0; c < classes; c++) own[i * classes + c] = targets[i * classes + c] as number;
      }
      return { ...facts, sheet: new ScoreSheet(scores, own, { ...options, pooled: false }) };
    });
    return { name, subgroups, unknown: values.filter((value) => value === null).length };
  });
  const sheets = columns.flatMap(({ subgroups }) => subgroups.flatMap(({ sheet }) => sheet ?? []));

  function measured(resampled: Resampling, level: number): MeasuredColumn[] {
    return columns.map(({ name, subgroups, unknown }) => {
      const largest = subgroups.find(({ sheet }) => sheet !== null);
      return {
        name,
        unknown,
        subgroups: subgroups.map((each) => measuredSubgroup(each, largest, resampled, level)),
      };
    });
  }

  function measuredSubgroup(
    { sheet, ...facts }: OpenSubgroup,
    largest: OpenSubgroup | undefined,
    resampled: Resampling,
    level: number,
  ): MeasuredSubgroup {
    if (sheet === null) return { ...facts, measures: null, gap: null };
    // the whole is the first sheet of all
    const at = 1 + sheets.indexOf(sheet);
    const interval = (statistic: (values: Float64Array) => number, reason: string | null) =>
      resampled.interval((all) => statistic(all[at] as Float64Array), reason, level);
    const measures = {
      perClass: classNames.map((name, c) => ({
        name,
        ...labelCounts(sheet, c),
        ...classMeasures({ sheet, c, settings: options, patients, level }, interval),
      })),
      macro: measuresOf(options, (metric) =>
        interval(sheet.macro(metric), sheet.whyNoMean(metric, patients)),
      ),
    };
    const other = largest?.sheet;
    if (!largest || !other || other === sheet) return { ...facts, measures, gap: null };
    const otherAt = 1 + sheets.indexOf(other);
    const ownEstimates = resampled.estimates[at] as Float64Array;
    const otherEstimates = resampled.estimates[otherAt] as Float64Array;
    const shared = (metric: Metric) =>
      Array.from({ length: classes }, (_, c) => c).filter(
        (c) =>
          !Number.isNaN(sheet.ofClass(metric, c)(ownEstimates)) &&
          !Number.isNaN(other.ofClass(metric, c)(otherEstimates)),
      );
    const macro = measuresOf(options, (metric) => {
      const both = shared(metric);
      const reason =
        both.length === 0
          ? 'no class is in both'
          : (sheet.whyNoMean(metric, patients, both) ?? other.whyNoMean(metric, patients, both));
      const values = both.map((c) => sheet.ofClass(metric, c));
      const gap = (all: readonly Float64Array[]) => {
        let [sum, count] = [0, 0];
        for (const value of values) {
          const difference = value(all[at] as Float64Array) - value(all[otherAt] as Float64Array);
          if (Number.isNaN(difference)) continue;
          sum += difference;
          count++;
        }
        return sum / count;
      };
      return resampled.interval(gap, reason, level);
    });
    return { ...facts, measures, gap: { against: largest.value, macro, classes: shared('mAP').length } };
  }

  return { sheets, measured };
}
