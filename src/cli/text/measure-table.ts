import type { Interval } from '../../eval/metrics/interval.js';
import type { MeasuredScores } from '../../eval/metrics/measure-scores.js';
import type { Measures } from '../../eval/metrics/score-sheet.js';
import type { FittedColumn } from '../../text/fitted-table.js';
import { count, decimals, NOTHING } from '../../text/numbers.js';
import type { Line } from '../../text/styled.js';
import { barColumn } from './bar-table.js';
import { groupStyle } from './class-table.js';
import { type Terminal, terminalTable } from './terminal.js';

/** Metrics of classes and averages as a table for a terminal, each with its interval beside it, one of them as a bar. */

export type Column = readonly [
  title: string,
  of: (measures: Measures<Interval>) => Interval | null | undefined,
];

interface Row {
  readonly name: string;
  readonly group: string | null;
  readonly known: string;
  readonly positives: string;
  readonly measures: Measures<Interval>;
}

/**
 * A line a class, then the averages. On a narrow terminal the number of known labels goes first, then metrics from the right
 * but for the first one, the group and the number of positives.
 * @param drawn whether the first metric is a bar, too
 */
export function measureTable(
  measured: MeasuredScores,
  columns: readonly Column[],
  { terminal, drawn }: { readonly terminal: Terminal; readonly drawn: boolean },
): Line[] {
  const rows: Row[] = [
    ...measured.perClass.map((row) => {
      const { name, group, known, positives } = row;
      return { name, group, known: count(known), positives: count(positives), measures: row };
    }),
    ...averagesOf(measured).map(([name, measures]): Row => {
      return { name, group: null, known: '', positives: '', measures };
    }),
  ];
  const last = columns.length;
  const metrics = columns.map(
    ([title, of], c): FittedColumn<Row> => ({
      title,
      ...(c > 0 && { leave: 1 + last - c }),
      content: ({ measures }) => compact(of(measures)),
    }),
  );
  const bars = columns.slice(0, drawn ? 1 : 0).map(([title, of]) => {
    const value = (interval: Interval | null | undefined) => ({ value: interval?.estimate, interval });
    return barColumn<Row>(
      {
        title,
        measured: ({ measures }) => value(of(measures)),
        style: ({ group }) => groupStyle(group),
      },
      terminal,
    );
  });
  return terminalTable<Row>(
    [
      { title: 'class', least: 20, content: ({ name }) => name },
      {
        title: 'group',
        leave: last + 1,
        content: ({ group }) => ({ text: group ?? '', style: groupStyle(group) }),
      },
      { title: 'known', right: true, leave: 1, content: ({ known }) => known },
      { title: 'positives', right: true, leave: last + 2, content: ({ positives }) => positives },
      ...bars,
      ...metrics,
    ],
    rows,
    terminal,
  );
}

/** With the names that their lines have. */
export function averagesOf(measured: MeasuredScores): [name: string, Measures<Interval>][] {
  return [
    ['macro', measured.macro],
    ['micro', measured.micro],
    ['weighted', measured.weighted],
    ...Object.entries(measured.groups).map(([name, means]): [string, Measures<Interval>] => [
      `macro ${name} (${means.classes.length})`,
      means,
    ]),
  ];
}

/** `0.312 .288–.337`, narrow enough for several side by side. */
export function compact(interval: Interval | null | undefined): string {
  if (!interval || Number.isNaN(interval.estimate)) return NOTHING;
  const { estimate, low, high, whyMissing } = interval;
  return `${decimals(estimate)} ${whyMissing === null ? `${pointed(low)}–${pointed(high)}` : NOTHING}`;
}

/** Without the zero before the point. */
function pointed(value: number): string {
  return decimals(value).replace(/^0\./, '.');
}
