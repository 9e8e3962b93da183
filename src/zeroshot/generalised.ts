import { type BootstrapOptions, bootstrapMetrics } from '../eval/metrics/bootstrap.js';
import { meanOfDefined, measureClasses, rankClasses } from '../eval/metrics/class-metrics.js';
import { bcaInterval, type Interval, noInterval } from '../eval/metrics/interval.js';
import { leavingOut, numberPatients, overDraws } from '../eval/metrics/patient-draws.js';
import { unknownName } from '../recipe/known-names.js';
import { ScoringError } from './scoring/scoring-error.js';

/**
 * Generalised evaluation: how well a model does on seen classes, on unseen ones, on all, and by the harmonic mean of the
 * first two, which is high only where both are (Xian et al. 2017, arXiv 1707.00600).
 */

/** Which columns belong to either kind; classes in neither list count for neither, nor for `all`. */
export interface SeenAndUnseen {
  readonly seen: readonly string[];
  readonly unseen: readonly string[];
}

export interface GeneralisedMeans {
  readonly seen: Interval;
  readonly unseen: Interval;
  readonly all: Interval;
  readonly harmonicMean: Interval;
}

export interface GeneralisedEvaluation {
  readonly mAP: GeneralisedMeans;
  readonly auroc: GeneralisedMeans;
}

/**
 * Macro means with intervals over patients.
 * @param scores [n, classes] @param targets [n, classes] of 1, 0 or NaN (unknown)
 * @throws ScoringError for a class without a column, in both lists, or an empty list; MetricError as `summarize`
 */
export function evaluateGeneralised(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: Omit<BootstrapOptions, 'only'> & SeenAndUnseen,
): GeneralisedEvaluation {
  const { seen, unseen } = classColumns(options.classNames, options);
  const all = [...seen, ...unseen];
  const metrics = ['mAP', 'auroc'] as const;
  const bootstrapped = bootstrapMetrics(metrics, scores, targets, options);
  const rankings = rankClasses(scores, targets, options);
  const patients = numberPatients(options);
  const harmonicMeans = (weights?: Uint32Array) => {
    const values = measureClasses(metrics, rankings, {}, weights);
    return metrics.map((_, m) => {
      const over = (columns: readonly number[]) =>
        meanOfDefined(columns.map((c) => values[m * rankings.length + c] as number));
      return harmonicMean(over(seen), over(unseen));
    });
  };
  const estimates = harmonicMeans();
  const draws = overDraws(options, harmonicMeans, patients);
  const jackknife = leavingOut(options, harmonicMeans, patients);
  const [mAP, auroc] = metrics.map((metric, m): GeneralisedMeans => {
    const parts = {
      seen: bootstrapped.mean(metric, seen),
      unseen: bootstrapped.mean(metric, unseen),
      all: bootstrapped.mean(metric, all),
    };
    const estimate = estimates[m] ?? Number.NaN;
    const reason = parts.seen.whyMissing ?? parts.unseen.whyMissing;
    const of = (values: readonly number[][]) => values.map((each) => each[m] ?? Number.NaN);
    return {
      ...parts,
      harmonicMean:
        reason === null
          ? bcaInterval({ estimate, draws: of(draws), jackknife: of(jackknife) }, parts.seen.level)
          : noInterval(estimate, parts.seen.level, 0, reason),
    };
  }) as [GeneralisedMeans, GeneralisedMeans];
  return { mAP, auroc };
}

/** 2ab / (a + b); 0 where both are 0. */
export function harmonicMean(a: number, b: number): number {
  return a + b === 0 ? 0 : (2 * a * b) / (a + b);
}

/** Indices of the columns of both kinds. @throws ScoringError */
export function classColumns(
  classNames: readonly string[],
  { seen, unseen }: SeenAndUnseen,
): { readonly seen: number[]; readonly unseen: number[] } {
  const both = seen.filter((name) => unseen.includes(name));
  if (both.length > 0) throw new ScoringError(`${both.join(', ')}: named as seen and as unseen.`);
  const columns = (kind: string, names: readonly string[]) => {
    if (names.length === 0) throw new ScoringError(`there is no ${kind} class.`);
    return names.map((name) => {
      const column = classNames.indexOf(name);
      if (column >= 0) return column;
      throw new ScoringError(`${unknownName(`column of the ${kind} class`, name, classNames)}.`);
    });
  };
  return { seen: columns('seen', seen), unseen: columns('unseen', unseen) };
}
