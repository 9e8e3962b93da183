import type { Command } from 'commander';
import type { Interval } from '../../eval/metrics/interval.js';
import { type SideBySide, sideBySide } from '../../report/runs/side-by-side.js';
import { resamplesOption } from '../options/common-options.js';
import { formatSideBySide } from '../text/side-by-side-table.js';
import { terminalOf, writeLines } from '../text/terminal.js';

interface CompareFlags {
  readonly data?: string;
  readonly resamples: number;
  readonly json?: boolean;
}

export function addCompare(program: Command): void {
  program
    .command('compare')
    .description('say what differs in the recipes and the scores of runs')
    .argument('<run...>', 'run directories; the first is what the others are compared with')
    .option('--data <path>', 'where the labels and images are now, if they have moved since training')
    .addOption(resamplesOption().default(1000))
    .option('--json', 'print JSON instead of tables')
    .action(compare);
}

async function compare(paths: string[], { json, ...options }: CompareFlags): Promise<void> {
  const compared = await sideBySide(paths, options);
  if (json) process.stdout.write(`${JSON.stringify(asJson(compared), null, 2)}\n`);
  else writeLines(formatSideBySide(compared, terminalOf()));
}

/** Intervals that can't be had, and scores that are absent, are null. */
function asJson({ runs, settings }: SideBySide) {
  const interval = (of: Interval | null | undefined) =>
    of && of.whyMissing === null
      ? { estimate: of.estimate, low: of.low, high: of.high, level: of.level }
      : null;
  return {
    settings: settings.map(({ setting, values }) => ({ setting, values })),
    runs: runs.map(({ path, scores, difference }) => ({
      path,
      part: scores?.part ?? null,
      mAP: scores?.mAP ?? null,
      auroc: scores?.auroc ?? null,
      intervals: { mAP: interval(scores?.intervals?.mAP), auroc: interval(scores?.intervals?.auroc) },
      difference: difference && { mAP: interval(difference.mAP), tail: interval(difference.tail) },
    })),
  };
}
