import type { Interval } from '../../eval/metrics/interval.js';
import { classSummary, type ExaminedRun } from '../../report/examine-run.js';
import { count, decimals } from '../../text/numbers.js';
import type { Line, Style } from '../../text/styled.js';
import { metricColumns } from './bar-table.js';
import { type Terminal, terminalTable } from './terminal.js';

/** Classes as a table for a terminal: a line a class, its average precision as a bar. */

export interface ClassRow {
  readonly name: string;
  readonly group: string | null;
  readonly positives: number;
  readonly ap: number;
  readonly interval: Pick<Interval, 'low' | 'high'> | null;
  readonly auroc: number;
}

/** On a narrow terminal the columns with the lowest numbers go first; name, bar and average precision stay. */
export function classTable(rows: readonly ClassRow[], terminal: Terminal): Line[] {
  return terminalTable<ClassRow>(
    [
      { title: 'class', least: 20, content: ({ name }) => name },
      { title: 'group', leave: 1, content: ({ group }) => ({ text: group ?? '', style: groupStyle(group) }) },
      { title: 'positives', leave: 2, right: true, content: ({ positives }) => count(positives) },
      ...metricColumns<ClassRow>(
        {
          title: 'AP',
          measured: ({ ap, interval }) => ({ value: ap, interval }),
          style: ({ group }) => groupStyle(group),
          leaveInterval: 4,
        },
        terminal,
      ),
      { title: 'AUROC', leave: 3, right: true, content: ({ auroc }) => decimals(auroc) },
    ],
    rows,
    terminal,
  );
}

/** The classes of a run's test part, or of its validation; empty where no image was scored. */
export function classesOfRun({ classes, primary }: ExaminedRun): ClassRow[] {
  if (primary === null) return [];
  return classes.map((fact) => {
    const { name, positives, ap, auroc } = classSummary(primary, fact);
    const interval = primary.classIntervals.mAP[fact.index] ?? null;
    return { name, group: fact.group, positives, ap, auroc, interval };
  });
}

/** Head, medium and tail as the report colours them. */
export function groupStyle(group: string | null): Style | undefined {
  return group === 'head' || group === 'medium' || group === 'tail' ? group : undefined;
}
