import type { FrequencyGroup } from '../../data/tables/findings.js';
import type { Interval } from '../../eval/metrics/interval.js';
import type { ExaminedRun } from '../../report/examine-run.js';
import type { WrittenReport } from '../../report/report.js';
import { primaryScores } from '../../report/run-scores.js';
import { sortRuns } from '../../report/runs/run-columns.js';
import { decimals } from '../../text/numbers.js';
import type { Line } from '../../text/styled.js';
import { metricColumns } from './bar-table.js';
import { formatRuns } from './run-table.js';
import { type Terminal, terminalTable } from './terminal.js';

/** What a report comes to, in a few lines: a run by groups of classes, several runs with the best first. */
export function formatReport({ runs, detailed }: WrittenReport, terminal: Terminal): (Line | string)[] {
  const [run] = detailed;
  if (runs.length > 1 || run === undefined) return formatRuns(sortRuns(runs, 'mAP'), terminal);
  return formatGroups(run, terminal);
}

interface Row {
  readonly name: string;
  readonly classes: number;
  readonly group: FrequencyGroup | undefined;
  readonly mAP: number | null;
  readonly interval: Interval | undefined;
  readonly guess: number | null;
  readonly auroc: number | null;
}

/** All classes, then head, medium and tail; nothing where no image was scored. */
function formatGroups(run: ExaminedRun, terminal: Terminal): Line[] {
  const scores = primaryScores(run);
  if (scores === null) return [];
  const rows: Row[] = [
    {
      ...scores,
      name: `${scores.part}, all`,
      classes: run.classes.length,
      group: undefined,
      interval: scores.intervals?.mAP,
    },
    ...(run.primary?.groups ?? []).map(
      ({ name, classes, means, mAP }): Row => ({
        name,
        classes,
        group: name,
        mAP: means.mAP,
        interval: mAP,
        guess: means.prevalenceGuess,
        auroc: means.auroc,
      }),
    ),
  ];
  return terminalTable<Row>(
    [
      { title: 'classes', content: ({ name, group }) => ({ text: name, style: group }) },
      { title: '', right: true, leave: 1, content: ({ classes }) => String(classes) },
      ...metricColumns<Row>(
        {
          title: 'mAP',
          measured: ({ mAP: value, interval }) => ({ value, interval }),
          style: ({ group }) => group,
          leaveInterval: 4,
        },
        terminal,
      ),
      { title: 'guess', right: true, leave: 2, content: ({ guess }) => decimals(guess) },
      { title: 'AUROC', right: true, leave: 3, content: ({ auroc }) => decimals(auroc) },
    ],
    rows,
    terminal,
  );
}
