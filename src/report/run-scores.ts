import type { Interval } from '../eval/metrics/interval.js';
import type { EvaluatedPart, ExaminedRun, PrimaryPart } from './examine-run.js';
import type { RecordedSummary } from './run-record.js';

/** The few numbers that stand for a run, from the labels where they can be read, else as the run recorded them. */

export type PartName = 'validation' | 'test';

export interface PartScores {
  readonly part: PartName;
  readonly mAP: number | null;
  readonly auroc: number | null;
  /** mAP of scoring every image alike. */
  readonly guess: number | null;
  /** Of the primary part only; null without the labels. */
  readonly intervals: Readonly<Record<'mAP' | 'auroc', Interval>> | null;
}

/** Scores of one part; null where it wasn't scored. */
export function partScores(run: ExaminedRun, part: PartName): PartScores | null {
  const measured = run[part];
  return measured === null ? recorded(run.record.summary, part) : fromLabels(measured, null);
}

/** Test where it was scored, else validation. */
export function primaryScores(run: ExaminedRun): PartScores | null {
  if (run.primary !== null) return fromLabels(run.primary, run.primary.intervals);
  return partScores(run, 'test') ?? partScores(run, 'validation');
}

function fromLabels(
  { name, summary }: EvaluatedPart,
  intervals: PrimaryPart['intervals'] | null,
): PartScores {
  const { mAP, auroc, prevalenceGuess } = summary.macro;
  return { part: name, mAP, auroc, guess: prevalenceGuess, intervals };
}

function recorded(summary: RecordedSummary | null, part: PartName): PartScores | null {
  const scores = summary?.[part];
  if (!scores) return null;
  const { mAP = null, auroc = null, prevalenceGuess: guess = null } = scores;
  return { part, mAP, auroc, guess, intervals: null };
}
