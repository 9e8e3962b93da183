import type { DataPart } from '../data/tables/data-source.js';
import { pairedBootstrapInterval } from '../eval/metrics/bootstrap.js';
import type { Interval } from '../eval/metrics/interval.js';
import { summarize } from '../eval/metrics/summarize.js';
import { EvaluationError, joinLabels } from './labelled-scores.js';
import type { Predictions } from './predictions.js';

/**
 * The steps of an inference, from one network to the whole of it, each measured against the step before on the same
 * images: whether views, an ensemble or a gate are worth having is seen on validation, not assumed.
 */
export interface LadderStep {
  readonly name: string;
  readonly predictions: Predictions;
}

/** Macro means that a ladder shows. */
export const LADDER_METRICS = ['mAP', 'auroc'] as const;
export type LadderMetric = (typeof LADDER_METRICS)[number];

export interface LadderRow {
  readonly name: string;
  readonly scores: Readonly<Record<LadderMetric, number>>;
  /** How much higher than the step before, with an interval over patients; null for the first step. */
  readonly gains: Readonly<Record<LadderMetric, Interval>> | null;
}

export interface Ladder {
  readonly images: number;
  /** Images that one of the steps could not read: they are in no step's score. */
  readonly unreadable: readonly string[];
  readonly rows: readonly LadderRow[];
}

/**
 * @param steps of the same classes, in any order, and the same images
 * @param options.resamples draws of the bootstrap, the same for all steps; default 1000
 * @throws EvaluationError as `joinLabels`, and where no image has scores in all steps
 */
export function measureLadder(
  steps: readonly LadderStep[],
  parts: readonly DataPart[],
  { resamples = 1000 }: { readonly resamples?: number | undefined } = {},
): Ladder {
  const unread = new Set(
    steps.flatMap(({ predictions }) =>
      predictions.rows.flatMap(({ image, probabilities }) => (probabilities === null ? [image] : [])),
    ),
  );
  const classNames = steps[0]?.predictions.classes ?? [];
  const joined = steps.map(({ predictions }) =>
    joinLabels(readInAll(predictions, classNames, unread), parts),
  );
  const { n = 0, targets = new Float32Array(), patients = [] } = joined[0] ?? {};
  if (n === 0)
    throw new EvaluationError('no labelled image has scores in all steps: there is nothing to measure.');
  const shape = { n, classes: classNames.length, classNames };
  const rows = steps.map(({ name }, i): LadderRow => {
    const scores = joined[i]?.scores ?? new Float32Array();
    const before = joined[i - 1]?.scores;
    const gain = (metric: LadderMetric) =>
      pairedBootstrapInterval(metric, before ?? scores, scores, targets, { ...shape, patients, resamples });
    const { mAP, auroc } = summarize(scores, targets, shape).macro;
    return {
      name,
      scores: { mAP, auroc },
      gains: before ? { mAP: gain('mAP'), auroc: gain('auroc') } : null,
    };
  });
  return { images: n, unreadable: joined[0]?.unreadable ?? [], rows };
}

/** The columns in the order of `classNames`, without scores for some images. */
function readInAll(
  { classes, rows }: Predictions,
  classNames: readonly string[],
  unread: ReadonlySet<string>,
): Predictions {
  const columns = classNames.map((name) => classes.indexOf(name));
  return {
    classes: classNames,
    rows: rows.map((row) => ({
      ...row,
      probabilities:
        row.probabilities === null || unread.has(row.image)
          ? null
          : columns.map((column) => row.probabilities?.[column] ?? Number.NaN),
    })),
  };
}
