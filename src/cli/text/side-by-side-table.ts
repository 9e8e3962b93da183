import type { Interval } from '../../eval/metrics/interval.js';
import type { ComparedRun, SideBySide } from '../../report/runs/side-by-side.js';
import type { FittedColumn } from '../../text/fitted-table.js';
import { decimals, NOTHING, signed } from '../../text/numbers.js';
import type { Line, Text } from '../../text/styled.js';
import { metricColumns } from './bar-table.js';
import { type Terminal, terminalTable } from './terminal.js';

/** Runs side by side on a terminal: settings that differ, a column a run, then scores, a line a run. */
export function formatSideBySide({ runs, settings }: SideBySide, terminal: Terminal): (Line | string)[] {
  const letters = runs.map((_, i) => letterOf(i));
  const parts = new Set(runs.map(({ scores }) => scores?.part ?? 'nothing'));
  const without = runs.slice(1).filter(({ difference }) => difference === null);
  const notes = [
    `Scored on ${[...parts].join(' and ')}. Differences from A are on the same images and the same draws of patients; a star: their 95 % interval is without zero, which says nothing of the luck of a seed.`,
    ...without.map(
      ({ path }) =>
        `${path}: no difference is given, as its images, labels or classes are not those of A, or are not at hand.`,
    ),
  ];
  return [
    ...runs.map(({ path }, i) => `${letterOf(i)}  ${path}`),
    '',
    ...(settings.length === 0
      ? ['The recipes are the same.']
      : terminalTable(
          [
            { title: 'setting', least: 20, middle: true, content: ({ setting }) => setting },
            ...letters.map(
              (letter, i): FittedColumn<SideBySide['settings'][number]> => ({
                title: letter,
                least: 10,
                middle: true,
                content: ({ values }) => values[i] ?? NOTHING,
              }),
            ),
          ],
          settings,
          terminal,
        )),
    '',
    ...terminalTable(
      scoreColumns(terminal),
      runs.map((compared, i) => ({ ...compared, letter: letterOf(i) })),
      terminal,
    ),
    '',
    ...notes,
  ];
}

type Row = ComparedRun & { readonly letter: string };

function scoreColumns(terminal: Terminal): FittedColumn<Row>[] {
  return [
    { title: '', content: ({ letter }) => letter },
    ...metricColumns<Row>(
      {
        title: 'mAP',
        measured: ({ scores }) => ({ value: scores?.mAP, interval: scores?.intervals?.mAP }),
        leaveInterval: 3,
        leaveBar: 5,
      },
      terminal,
    ),
    { title: 'mAP − A', right: true, content: ({ difference }) => change(difference?.mAP) },
    {
      title: '95 % interval',
      right: true,
      leave: 6,
      content: ({ difference }) => changeEnds(difference?.mAP),
    },
    { title: 'tail mAP − A', right: true, leave: 4, content: ({ difference }) => change(difference?.tail) },
    {
      title: '95 % interval',
      right: true,
      leave: 2,
      content: ({ difference }) => changeEnds(difference?.tail),
    },
    { title: 'AUROC', right: true, leave: 1, content: ({ scores }) => decimals(scores?.auroc) },
  ];
}

function change(interval: Interval | null | undefined): Text {
  if (!interval) return '';
  const { estimate, low, high } = interval;
  const holds = low > 0 || high < 0;
  return { text: `${signed(estimate)}${holds ? ' *' : '  '}`, style: holds ? 'strong' : undefined };
}

function changeEnds(interval: Interval | null | undefined): string {
  return interval ? `${signed(interval.low)} to ${signed(interval.high)}` : '';
}

/** A, B, … Z, 27, 28, … */
function letterOf(index: number): string {
  return index < 26 ? String.fromCharCode(65 + index) : String(index + 1);
}
