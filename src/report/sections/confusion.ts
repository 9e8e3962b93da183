import { count, counted, percent } from '../../text/numbers.js';
import { type ClassFact, type ExaminedRun, inColumnOrder } from '../examine-run.js';
import { type Content, type Html, html } from '../html.js';
import { type MissedTogether, missedTogether } from '../missed-together.js';
import { heatMap, heatMapLegend } from '../plots/heat-map.js';
import { plotFigure } from '../plots/plot-figure.js';
import type { Section } from './section.js';

/** What else was there, and what was raised instead, where a finding was missed. */

/** More classes than this are too small to see. */
const MOST = 45;

export function confusion(run: ExaminedRun): Section | null {
  const { primary, classes } = run;
  if (primary === null) return null;
  const counts = missedTogether(run, primary);
  const shown = classes.filter(({ index }) => (counts.missed[index] ?? 0) > 0).slice(0, MOST);
  if (shown.length < 2) return null;
  const columns = classes.slice(0, MOST);
  const others = {
    caption: 'Labelled as well, where the finding of the row was missed',
    of: counts.labelled,
    title: (i: ClassFact, j: ClassFact, share: string) =>
      `Of ${counted(counts.missed[i.index] ?? 0, 'missed image')} of ${i.name}, ${share} also have ${j.name}; of those found, ${percent(shareOf(counts.labelledWhenFound, counts.found, classes.length, i, j))}`,
  };
  const raised = {
    caption: 'Raised wrongly, where the finding of the row was missed',
    of: counts.raised,
    title: (i: ClassFact, j: ClassFact, share: string) =>
      `In ${share} of ${counted(counts.missed[i.index] ?? 0, 'missed image')} of ${i.name}, ${j.name} was raised and not labelled`,
  };
  const content = html`<p class="fine">On ${primary.name}, from the most to the least common class. An image counts as missed where its score is below the class’s threshold (see Images). A finding that was there as well may have hidden the missed one, or may only often come with it: the text of a cell, and the numbers, say how often it was there where the finding was found. Few missed images make large shares by luck.</p>
${heatMapLegend()}
<div class="grid2">${[others, raised].map((each) => figure(each, counts, shown, columns, run))}</div>`;
  return { key: 'confusion', title: 'Where findings were missed', content };
}

interface MissedMap {
  readonly caption: string;
  /** [classes, classes] */
  readonly of: Uint32Array;
  title(row: ClassFact, column: ClassFact, share: string): string;
}

function figure(
  { caption, of, title }: MissedMap,
  counts: MissedTogether,
  rows: readonly ClassFact[],
  columns: readonly ClassFact[],
  run: ExaminedRun,
): Html {
  const width = run.classes.length;
  const share = (i: number, j: number) => {
    const [row, column] = [rows[i], columns[j]];
    if (row === undefined || column === undefined || row === column) return null;
    return shareOf(of, counts.missed, width, row, column);
  };
  return plotFigure({
    caption,
    plot: heatMap({
      rows: rows.map(({ name }) => name),
      names: columns.map(({ name }) => name),
      value: share,
      title: (i, j) => {
        const [row, column] = [rows[i], columns[j]];
        return row && column ? title(row, column, percent(share(i, j))) : '';
      },
      description: `${caption}: shares of the missed images, ${rows.length} findings`,
    }),
    numbers: {
      columns: [
        { title: 'Missed' },
        { title: 'Images missed' },
        { title: 'Images found' },
        {
          title: html`Other finding: images among the missed${of === counts.labelled && ', among the found'}`,
          words: true,
        },
      ],
      rows: rows.map((row): Content[] => [
        row.name,
        count(counts.missed[row.index]),
        count(counts.found[row.index]),
        inColumnOrder(run.classes)
          .map((other) => ({
            name: other.name,
            images: of[row.index * width + other.index] ?? 0,
            found: counts.labelledWhenFound[row.index * width + other.index] ?? 0,
          }))
          .filter(({ images }) => images > 0)
          .sort((a, b) => b.images - a.images)
          .map(({ name, images, found }) =>
            of === counts.labelled ? `${name} ${images}, ${found}` : `${name} ${images}`,
          )
          .join('; '),
      ]),
    },
  });
}

function shareOf(
  of: Uint32Array,
  among: Uint32Array,
  width: number,
  row: ClassFact,
  column: ClassFact,
): number | null {
  const total = among[row.index] ?? 0;
  return total === 0 ? null : (of[row.index * width + column.index] ?? 0) / total;
}
