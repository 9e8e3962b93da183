import { scaleLog } from 'd3-scale';
import { threeDigits } from '#src/text/numbers.js';
import type { Comparison } from './compare.js';
import { fullName } from './selection.js';
import { speedup } from './statistics.js';
import { axis, CHART, chart, colourOf, text } from './svg.js';
import type { Who } from './workload.js';

/** How many times faster tailray is than each library, a row a workload: median, and lowest to highest of the rounds. */

const ROW = 20;
const LEFT = 250;
const RIGHT = 30;
const TOP = 78;

export function speedupPlot(
  comparisons: readonly Comparison[],
  { adapter, date }: { readonly adapter: string; readonly date: string },
): string {
  const rows = comparisons.flatMap(({ workload, timings }) => {
    const own = timings.find(({ who }) => who === 'tailray');
    const peers = timings.filter(({ who }) => who !== 'tailray');
    if (!own || peers.length === 0) return [];
    const points = peers.map(({ who, rounds }) => ({ who, ...speedup(own.rounds, rounds) }));
    return [{ name: fullName(workload), points }];
  });
  const all = rows.flatMap(({ points }) => points);
  const x = scaleLog()
    .domain([Math.min(0.1, ...all.map(({ min }) => min)), Math.max(10, ...all.map(({ max }) => max))])
    .nice()
    .range([LEFT, CHART.width - RIGHT]);
  const height = TOP + rows.length * ROW + 40;
  const bottom = height - 36;
  const whos = [...new Set(all.map(({ who }) => who))];
  const ticks = x.ticks(6).filter((tick) => Number.isInteger(Math.round(Math.log10(tick) * 1e6) / 1e6));
  return chart(height, 'How many times faster tailray is', [
    text(16, 42, `${adapter}, ${date.slice(0, 10)}; median of the rounds, lowest to highest`, 'muted'),
    ...legend(whos),
    ...ticks.map((tick) => axis(x(tick), TOP - 6, bottom, String(tick), tick === 1)),
    ...rows.flatMap(({ name, points }, i) => {
      const y = TOP + i * ROW + ROW / 2;
      return [
        text(LEFT - 10, y + 4, name, 'label'),
        ...points.map(
          ({ who, median, min, max }) =>
            `<line x1="${x(min)}" x2="${x(max)}" y1="${y}" y2="${y}" stroke="${colourOf(who)}" stroke-width="2" opacity="0.5"/>` +
            `<circle cx="${x(median)}" cy="${y}" r="4" fill="${colourOf(who)}"><title>${name}: ${threeDigits(median)} × ${who}</title></circle>`,
        ),
      ];
    }),
  ]);
}

function legend(whos: readonly Who[]): string[] {
  return whos.map((who, i) => {
    const left = 16 + i * 140;
    return `<circle cx="${left + 4}" cy="56" r="4" fill="${colourOf(who)}"/>${text(left + 14, 60, who)}`;
  });
}
