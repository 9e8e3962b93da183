import { type Difference, differenceFrom } from '../compare-runs.js';
import { type ExaminedRun, type ExamineOptions, examineRun } from '../examine-run.js';
import { ReportError } from '../report-error.js';
import { type PartScores, primaryScores } from '../run-scores.js';
import { type DifferingSetting, differingSettings } from './run-settings.js';

/** Runs held against the first one: what differs in their recipes, and in their scores. */
export interface SideBySide {
  readonly runs: readonly ComparedRun[];
  readonly settings: readonly DifferingSetting[];
}

export interface ComparedRun {
  readonly path: string;
  readonly run: ExaminedRun;
  /** Null where no image was scored. */
  readonly scores: PartScores | null;
  /** Null for the first run, and where the images or labels are others than its own. */
  readonly difference: Difference | null;
}

/** @throws ReportError when a folder holds no run, or a file of it can't be understood; or for a single run */
export async function sideBySide(
  paths: readonly string[],
  options: ExamineOptions = {},
): Promise<SideBySide> {
  requireDistinct(paths);
  if (paths.length < 2) throw new ReportError('name two runs or more.');
  const examined: ExaminedRun[] = [];
  for (const path of paths) examined.push(await examineRun(path, options));
  const [first] = examined;
  const runs = examined.map((run, i): ComparedRun => {
    const difference = first === undefined || i === 0 ? null : differenceFrom(first, run, options);
    return { path: paths[i] ?? '', run, scores: primaryScores(run), difference };
  });
  return { runs, settings: differingSettings(examined.map(({ record }) => record.recipe)) };
}

/** @throws ReportError for a run that is named twice */
export function requireDistinct(paths: readonly string[]): void {
  const repeated = paths.find((path, i) => paths.indexOf(path) !== i);
  if (repeated !== undefined) throw new ReportError(`${repeated} is named twice.`);
}
