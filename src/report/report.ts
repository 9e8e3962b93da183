import { join } from 'node:path';
import { writeAtomically } from '../storage/atomic-file.js';
import { type ExaminedRun, type ExamineOptions, examineRun } from './examine-run.js';
import { renderPage } from './page.js';
import { ReportError } from './report-error.js';
import { holdsRun } from './runs/find-runs.js';
import { outlineRun, type RunOutline } from './runs/run-outline.js';
import { requireDistinct } from './runs/side-by-side.js';
import type { ExplainRun } from './samples/run-maps.js';

/** From run directories to one HTML file that needs nothing else to be read. */

export interface ReportOptions extends ExamineOptions {
  /** The file to write; default: report.html in the run's directory, or in the working directory for several runs. */
  readonly out?: string | undefined;
  /** Put sample images into the file; default true. */
  readonly pictures?: boolean | undefined;
  /** Where the model of a run looked, for maps over its pictures (`explainRuns`); absent: there are none. */
  readonly explain?: ExplainRun | undefined;
  /** Of more runs than these, the overview alone is written; default 8. */
  readonly details?: number | undefined;
}

export interface WrittenReport {
  readonly path: string;
  /** The runs that the report tells of, in the order in which they were named. */
  readonly runs: readonly RunOutline[];
  /** Those that it tells of in detail. */
  readonly detailed: readonly ExaminedRun[];
  /** What was left out and why, a sentence each. */
  readonly notes: readonly string[];
}

/** Runs in detail: a page of more takes long to make and to open, and nobody reads it. */
const MOST_DETAILS = 8;

/**
 * Writes the report of a run, or of several with an overview and a comparison above them; the same runs give the same bytes.
 * What a run lacks (a test part, labels, images, an end) is named in the report. Of several folders, those that hold no run are
 * passed over; a run with a file that can't be understood has a row in the overview that says so.
 * @throws ReportError when no folder holds a run, or a file of a single run can't be understood; StorageError
 */
export async function writeReport(
  paths: readonly string[],
  options: ReportOptions = {},
): Promise<WrittenReport> {
  const { pictures = true, explain, resamples, details = MOST_DETAILS } = options;
  const [first] = paths;
  if (first === undefined) throw new ReportError('name at least one run directory.');
  requireDistinct(paths);
  if (paths.length === 1) {
    const path = options.out ?? join(first, 'report.html');
    const run = await examineRun(first, options);
    await writeAtomically(path, await renderPage([run], { pictures, explain, resamples }));
    return { path, runs: [await outlineRun(first)], detailed: [run], notes: [] };
  }
  const path = options.out ?? 'report.html';
  const runs: RunOutline[] = [];
  const others: string[] = [];
  for (const each of paths) {
    if (await holdsRun(each)) runs.push(await outlineRun(each));
    else others.push(each);
  }
  const notes = others.length > 0 ? [`left out, as no run is in ${someOf(others)}.`] : [];
  if (runs.length === 0) throw new ReportError(`none of the ${paths.length} folders named holds a run.`);
  const detailed: ExaminedRun[] = [];
  if (runs.length <= details) {
    for (const [i, run] of runs.entries()) {
      const examined = await understoodRun(run.path, options);
      if ('why' in examined) runs[i] = { ...run, state: 'failed', why: examined.why };
      else detailed.push(examined);
    }
  } else if (details > 0) {
    notes.push(
      `${runs.length} runs are more than ${details}: the report is an overview, without details of each.`,
    );
  }
  await writeAtomically(path, await renderPage(detailed, { pictures, explain, resamples, overview: runs }));
  return { path, runs, detailed, notes };
}

/** The first names, and how many more there are. */
function someOf(names: readonly string[]): string {
  const more = names.length > TOLD ? ` and ${names.length - TOLD} more` : '';
  return `${names.slice(0, TOLD).join(', ')}${more}`;
}

const TOLD = 5;

/** The run, or why a file of it can't be understood. */
async function understoodRun(path: string, options: ExamineOptions): Promise<ExaminedRun | { why: string }> {
  try {
    return await examineRun(path, options);
  } catch (error) {
    if (error instanceof ReportError) return { why: error.message };
    throw error;
  }
}
