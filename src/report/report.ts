import { join } from 'node:path';
import { writeAtomically } from '../storage/atomic-file.js';
import { type ExaminedRun, type ExamineOptions, examineRun } from './examine-run.js';
import { renderPage } from './page.js';
import { ReportError } from './report-error.js';
import type { LookAt } from './samples/looked.js';

/** From run directories to one HTML file that needs nothing else to be read. */

export interface ReportOptions extends ExamineOptions {
  /** The file to write; default: report.html in the run's directory, or in the working directory for several runs. */
  readonly out?: string | undefined;
  /** Put sample images into the file; default true. */
  readonly pictures?: boolean | undefined;
  /** Where the model of a run looked, for maps over its pictures; absent or null: there are none. */
  readonly lookAt?: ((run: ExaminedRun) => Promise<LookAt | null>) | undefined;
}

/**
 * Writes the report of a run, or of several with a comparison above them; the same runs give the same bytes. What a run
 * lacks (a test part, labels, images, an end) is named in the report.
 * @throws ReportError when a directory holds no run or a file of it can't be understood; StorageError
 */
export async function writeReport(
  runDirs: readonly string[],
  options: ReportOptions = {},
): Promise<{ path: string }> {
  const [first] = runDirs;
  if (first === undefined) throw new ReportError('name at least one run directory.');
  const repeated = runDirs.find((path, i) => runDirs.indexOf(path) !== i);
  if (repeated !== undefined) throw new ReportError(`${repeated} is named twice.`);
  const runs: ExaminedRun[] = [];
  for (const path of runDirs) runs.push(await examineRun(path, options));
  const path = options.out ?? (runDirs.length === 1 ? join(first, 'report.html') : 'report.html');
  const { pictures = true, lookAt, resamples } = options;
  await writeAtomically(path, await renderPage(runs, { pictures, lookAt, resamples }));
  return { path };
}
