import { aurocComponents, intervalOfComponents } from './delong.js';
import type { Interval } from './interval.js';
import type { NumberedPatients } from './patient-draws.js';
import {
  type Measures,
  measuresOf,
  type ScoreSheet,
  type SheetSettings,
  type Statistic,
} from './score-sheet.js';
import type { Ranking } from './tally.js';

/** One class, every number with its interval. */
export interface ClassMeasures extends Measures<Interval> {
  readonly name: string;
  readonly group: string | null;
  /** Images whose target is known. */
  readonly known: number;
  readonly positives: number;
  /** positives / known: also the average precision of a constant guess. */
  readonly prevalence: number;
}

/** How many labels of a class are known, and how many of them are positive. */
export function labelCounts(
  sheet: ScoreSheet,
  c: number,
): Pick<ClassMeasures, 'known' | 'positives' | 'prevalence'> {
  const { positiveTotal: positives = 0, negativeTotal = 0 } = sheet.counts[c] ?? {};
  const known = positives + negativeTotal;
  return { known, positives, prevalence: positives / known };
}

/** One class: DeLong for AUROC, the bootstrap for the rest. */
export function classMeasures(
  {
    sheet,
    c,
    settings,
    patients,
    level,
  }: {
    readonly sheet: ScoreSheet;
    readonly c: number;
    readonly settings: SheetSettings;
    readonly patients: NumberedPatients;
    readonly level: number;
  },
  interval: (statistic: Statistic, reason: string | null) => Interval,
): Measures<Interval> {
  return measuresOf(settings, (metric) =>
    metric === 'auroc'
      ? intervalOfComponents(aurocComponents(sheet.rankings[c] as Ranking, patients, sheet.counts[c]), level)
      : interval(sheet.ofClass(metric, c), sheet.whyNoInterval(metric, c, patients)),
  );
}
