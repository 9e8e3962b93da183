import { RUN_COLUMNS, type RunColumn, type RunColumnName } from '../../report/runs/run-columns.js';
import type { RunOutline, RunState } from '../../report/runs/run-outline.js';
import { formatByteSize } from '../../text/byte-size.js';
import type { FittedColumn } from '../../text/fitted-table.js';
import { counted } from '../../text/numbers.js';
import type { Line, Style } from '../../text/styled.js';
import { metricColumns } from './bar-table.js';
import { type Terminal, terminalTable } from './terminal.js';

/** Runs as a table for a terminal: a line a run, reasons of failures below, and how many there are. */
export function formatRuns(runs: readonly RunOutline[], terminal: Terminal): (Line | string)[] {
  if (runs.length === 0) return ['no runs'];
  const bytes = runs.reduce((sum, run) => sum + run.bytes, 0);
  const reasons = runs.flatMap(({ path, why, state }) =>
    why === null ? [] : [`${path} ${WORDS[state]} ${why}`],
  );
  return [
    ...terminalTable(columnsFor(terminal), runs, terminal),
    '',
    ...reasons,
    `${counted(runs.length, 'run')}, ${formatByteSize(bytes)}; mAP: validation, best epoch`,
  ];
}

const WORDS: Readonly<Record<RunState, string>> = {
  running: 'is being written by',
  finished: 'is finished:',
  interrupted: 'was interrupted:',
  failed: 'failed:',
};

const STYLES: Readonly<Record<RunState, Style | undefined>> = {
  running: 'good',
  finished: undefined,
  interrupted: 'muted',
  failed: 'alarm',
};

/** On a narrow terminal the columns with the lowest numbers go first; name, state and mAP stay. */
function columnsFor(terminal: Terminal): FittedColumn<RunOutline>[] {
  return [
    { title: 'run', least: 24, middle: true, content: ({ path }) => path },
    { title: 'state', content: ({ state }) => ({ text: state, style: STYLES[state] }) },
    ...metricColumns<RunOutline>(
      {
        title: 'mAP',
        measured: ({ validation }) => ({ value: validation?.mAP, interval: validation?.interval }),
        leaveInterval: 5,
        leaveBar: 8,
      },
      terminal,
    ),
    plain('test', { leave: 9, right: true }),
    plain('loss', { leave: 7, least: 16 }),
    plain('model', { leave: 4, least: 16 }),
    plain('epochs', { leave: 6, right: true }),
    plain('time', { leave: 2, right: true }),
    plain('size', { leave: 1, right: true }),
    plain('when', { leave: 3 }),
  ];
}

function plain(
  name: RunColumnName,
  layout: Pick<FittedColumn<RunOutline>, 'leave' | 'least' | 'right'>,
): FittedColumn<RunOutline> {
  const { title, text }: RunColumn = RUN_COLUMNS[name];
  return { title, content: text, ...layout };
}
