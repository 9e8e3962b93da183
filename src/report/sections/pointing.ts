import type { Interval } from '../../eval/metrics/interval.js';
import type { PointingRow } from '../../explain/pointing/pointing.js';
import { count, percent, ratio } from '../../text/numbers.js';
import type { ClassFact, ExaminedRun } from '../examine-run.js';
import { noInterval, range } from '../format.js';
import { type Html, html } from '../html.js';
import { type ClassBar, classBars } from '../plots/class-bars.js';
import { type Numbers, plotFigure } from '../plots/plot-figure.js';
import { POINTED } from '../samples/run-maps.js';
import type { Section } from './section.js';

/** Whether the model looked where a phantom's finding was drawn. */
export function pointing({ classes, primary }: ExaminedRun, rows: readonly PointingRow[]): Section {
  const ordered = classes.flatMap((fact) => {
    const row = rows.find(({ finding }) => finding === fact.name);
    return row === undefined ? [] : [{ fact, row }];
  });
  const content = html`<p class="fine">On ${primary?.name}: the maps of the focal findings that are there, up to ${POINTED} images of each, held against the places where the program drew them. Hit: the map’s highest point lies inside. Energy: the share of the map that lies inside; over the share of the image that is inside, it is 1 for a map that knows nothing.</p>
<div class="grid2">${[
    figure('Maps that hit the finding', ordered, {
      of: ({ hits }) => hits,
      guess: ({ area }) => area,
      text: (value) => percent(value, 0),
      most: 1,
    }),
    figure('Energy inside the finding, over its share of the image', ordered, {
      of: ({ ratio: over }) => over,
      guess: () => 1,
      text: (value) => ratio(value),
      most: Math.max(2, ...rows.map((row) => row.ratio.estimate).filter(Number.isFinite)),
    }),
  ]}</div>
<p class="legend"><span class="guess-key"></span> a map that knows nothing <span class="whisker-key"></span> 95 % interval</p>`;
  return { key: 'pointing', title: 'Where it looked, and where the finding was', content };
}

interface Bars {
  of(row: PointingRow): Interval;
  guess(row: PointingRow): number;
  text(value: number): string;
  readonly most: number;
}

function figure(
  caption: string,
  rows: readonly { fact: ClassFact; row: PointingRow }[],
  { of, guess, text, most }: Bars,
): Html {
  const numbers: Numbers = {
    columns: ['Finding', 'Images', 'Value', '95 % interval', 'Knowing nothing'].map((title) => ({ title })),
    rows: rows.map(({ row }) => {
      const interval = of(row);
      return [
        row.finding,
        count(row.images),
        text(interval.estimate),
        noInterval(interval) ?? range(interval),
        text(guess(row)),
      ];
    }),
  };
  const bars = rows.map(({ fact, row }): ClassBar => {
    const interval = of(row);
    return {
      name: row.finding,
      value: interval.estimate,
      tick: guess(row),
      interval,
      note: `${text(interval.estimate)} · ${count(row.images)}`,
      style: fact.group ?? 'none',
    };
  });
  const axis = {
    scale: 'linear',
    domain: [0, most],
    nice: most !== 1,
    label: 'value · number of images',
  } as const;
  return plotFigure({ caption, plot: classBars(bars, axis, `${caption}, finding by finding`), numbers });
}
