import { bootstrapP } from '../eval/metrics/bootstrap.js';
import { classMetric, type MetricName, meanOfDefined, rankClasses } from '../eval/metrics/class-metrics.js';
import { percentileInterval } from '../eval/metrics/interval.js';
import { holm } from '../eval/metrics/multiple-tests.js';
import { numberPatients, overDraws } from '../eval/metrics/patient-draws.js';
import {
  crossedInterval,
  type MeanInterval,
  meanAndError,
  meanInterval,
  tTest,
} from '../eval/metrics/student-t.js';
import { tally } from '../eval/metrics/tally.js';
import type { CollectedScores, ScoredRun } from './collect-scores.js';
import { CompareError } from './compare-error.js';

/**
 * Which variant is better than the baseline, and how sure that is.
 *
 * A difference can be luck in two ways, and is tested against either and both: luck of the test patients by a paired
 * bootstrap (the same draws of patients for all runs, the difference of the means over seeds in each), luck of the seed by
 * a paired t-test over seeds, and both at once as radiology does for readers and cases. (To withstand either alone is not
 * enough: where both are of a size, there would be up to twice as many false alarms.) The largest of the p-values counts,
 * and it is corrected after Holm for the number of differences that are tested.
 *
 * Over patients, a difference has the percentile interval and not the BCa interval of a single run: the p-value counts the
 * same draws, so that both say the same, and BCa raises more false alarms here (docs/intervals.md).
 */
export interface Comparison {
  readonly baseline: string;
  /** In the plan's order. */
  readonly variants: readonly ComparedVariant[];
  /** Number of differences that were tested; the p-values are corrected for it. */
  readonly tests: number;
  readonly resamples: number;
}

/** Means over classes: over all of them, or over one group. */
export const MEASURES = {
  mAP: { title: 'mAP', metric: 'mAP', group: null },
  head: { title: 'head mAP', metric: 'mAP', group: 'head' },
  medium: { title: 'medium mAP', metric: 'mAP', group: 'medium' },
  tail: { title: 'tail mAP', metric: 'mAP', group: 'tail' },
  auroc: { title: 'AUROC', metric: 'auroc', group: null },
} as const satisfies Record<string, { title: string; metric: MetricName; group: string | null }>;
export type Measure = keyof typeof MEASURES;

/** The measures whose differences are tested. */
export const TESTED = ['mAP', 'tail'] as const satisfies readonly Measure[];
export type TestedMeasure = (typeof TESTED)[number];

export interface ComparedVariant {
  readonly name: string;
  readonly seeds: readonly number[];
  /** [seeds] of each measure; NaN where no class has it. */
  readonly values: Readonly<Record<Measure, readonly number[]>>;
  /** Means over seeds, 95 % t-interval. */
  readonly means: Readonly<Record<Measure, MeanInterval>>;
  /** From the baseline; null for itself and where they have no seed in common. */
  readonly differences: Readonly<Record<TestedMeasure, Difference | null>>;
}

export interface Difference {
  /** Mean over the seeds that both have. */
  readonly estimate: number;
  readonly seeds: number;
  /** 95 % interval by the luck of patients and seeds together; NaN for a single seed. */
  readonly overBoth: readonly [low: number, high: number];
  /** By either alone. */
  readonly overPatients: readonly [low: number, high: number];
  readonly overSeeds: readonly [low: number, high: number];
  readonly pPatients: number;
  /** NaN for a single seed. */
  readonly pSeeds: number;
  /** NaN for a single seed. */
  readonly pBoth: number;
  /** The largest, corrected; NaN for a single seed. */
  readonly p: number;
  /** Supported at the 95 % level. */
  readonly verdict: 'better' | 'worse' | 'undecided';
}

const LEVEL = 0.95;

/**
 * @param resamples bootstrap draws; when absent 1,000, or more where many comparisons need more
 * @throws CompareError for fewer draws than could ever support a difference
 */
export function compareVariants(
  scores: Pick<CollectedScores, 'part' | 'classNames' | 'groups' | 'runs'>,
  variants: readonly string[],
  baseline: string,
  resamples = Math.max(1000, 4 * fewestDraws(variants)),
): Comparison {
  if (resamples < fewestDraws(variants)) {
    throw new CompareError(
      `${resamples} bootstrap draws can't support a difference among ${variants.length} variants: take ${fewestDraws(variants)} or more.`,
    );
  }
  const { part, classNames, runs } = scores;
  const perRun = runs.map((run) => measuring(run, scores));
  const measures = Object.keys(MEASURES) as Measure[];
  const values = perRun.map((measured) => {
    const list = measured(measures);
    return new Map(measures.map((name, i) => [name, list[i] ?? Number.NaN]));
  });
  const patients = numberPatients(part).count;
  const draws = overDraws({ n: part.n, patients: part.patients, resamples }, (weights) =>
    perRun.flatMap((measured) => measured(TESTED, weights)),
  );
  const runsOf = (variant: string) => [...runs.keys()].filter((i) => runs[i]?.variant === variant);
  const untested = variants.map((name) => {
    const own = runsOf(name);
    const pairs = pairUp(runs, own, runsOf(baseline));
    const difference = (measure: TestedMeasure) =>
      name === baseline || pairs.length === 0
        ? null
        : differ(
            pairs.map(
              ([a, b]) => (values[a]?.get(measure) ?? Number.NaN) - (values[b]?.get(measure) ?? Number.NaN),
            ),
            pairs.map(([a, b]) =>
              draws.map((draw) => {
                const at = (run: number) => draw[run * TESTED.length + TESTED.indexOf(measure)] ?? Number.NaN;
                return at(a) - at(b);
              }),
            ),
            patients,
          );
    const list = (measure: Measure) => own.map((i) => values[i]?.get(measure) ?? Number.NaN);
    return {
      name,
      seeds: own.map((i) => runs[i]?.seed ?? Number.NaN),
      values: record(measures, list),
      means: record(measures, (measure) => meanInterval(list(measure), LEVEL)),
      differences: record(TESTED, difference),
    };
  });
  const all = untested.flatMap(({ differences }) => TESTED.map((measure) => differences[measure]));
  const corrected = holm(
    all.map((each) => (each ? Math.max(each.pPatients, each.pSeeds, each.pBoth) : Number.NaN)),
  );
  return {
    baseline,
    resamples,
    tests: corrected.filter((p) => !Number.isNaN(p)).length,
    variants: untested.map((variant, v) => ({
      ...variant,
      differences: record(TESTED, (measure) => {
        const each = variant.differences[measure];
        const p = corrected[v * TESTED.length + TESTED.indexOf(measure)] ?? Number.NaN;
        return each && { ...each, p, verdict: verdict(each.estimate, p) };
      }),
    })),
  };

  function measuring({ scores: own }: ScoredRun, { groups }: Pick<CollectedScores, 'groups'>) {
    const rankings = rankClasses(own, part.targets, { n: part.n, classes: classNames.length, classNames });
    return (names: readonly Measure[], weights?: Uint32Array): number[] => {
      const tallies = rankings.map((ranking) => tally(ranking, weights));
      const known = new Map<MetricName, number[]>();
      const ofClasses = (metric: MetricName) => {
        const values = known.get(metric) ?? tallies.map((counted) => classMetric(metric, counted, {}));
        known.set(metric, values);
        return values;
      };
      return names.map((name) => {
        const { metric, group } = MEASURES[name];
        return meanOfDefined(ofClasses(metric).filter((_, c) => group === null || groups[c] === group));
      });
    };
  }
}

/** The smallest p-value that draws can give is 2 / (draws + 1), which is then multiplied by the number of comparisons. */
function fewestDraws(variants: readonly string[]): number {
  return Math.ceil((2 * TESTED.length * (variants.length - 1)) / (1 - LEVEL));
}

/** Pairs of runs with the same seed. */
function pairUp(runs: readonly ScoredRun[], own: readonly number[], base: readonly number[]) {
  return own.flatMap((a): [own: number, base: number][] => {
    const b = base.find((i) => runs[i]?.seed === runs[a]?.seed);
    return b === undefined ? [] : [[a, b]];
  });
}

/** @param paired [seeds] differences @param drawn [seeds][resamples] of them @param patients how many were drawn */
function differ(
  paired: readonly number[],
  drawn: readonly (readonly number[])[],
  patients: number,
): Omit<Difference, 'p' | 'verdict'> {
  const { mean, low, high } = meanInterval(paired, LEVEL);
  const draws = (drawn[0] ?? []).map(
    (_, draw) => drawn.reduce((sum, each) => sum + (each[draw] ?? Number.NaN), 0) / drawn.length,
  );
  const overPatients = percentileInterval(mean, draws, LEVEL);
  const both = crossedInterval(
    {
      values: paired,
      overCases: variance(draws),
      overCasesOfOne: drawn.reduce((sum, each) => sum + variance(each), 0) / drawn.length,
      cases: patients,
    },
    LEVEL,
  );
  return {
    estimate: mean,
    seeds: paired.length,
    overBoth: [both.low, both.high],
    overPatients: [overPatients.low, overPatients.high],
    overSeeds: [low, high],
    pPatients: bootstrapP(draws),
    pSeeds: tTest(paired),
    pBoth: both.p,
  };
}

/** Of the draws in which the measure was defined. */
function variance(draws: readonly number[]): number {
  const defined = draws.filter((value) => !Number.isNaN(value));
  return meanAndError(defined).error ** 2 * defined.length;
}

function verdict(estimate: number, p: number): Difference['verdict'] {
  if (!(p < 1 - LEVEL)) return 'undecided';
  return estimate > 0 ? 'better' : 'worse';
}

function record<K extends string, T>(keys: readonly K[], value: (key: K) => T): Record<K, T> {
  return Object.fromEntries(keys.map((key) => [key, value(key)])) as Record<K, T>;
}
