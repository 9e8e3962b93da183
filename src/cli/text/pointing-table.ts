import type { Interval } from '../../eval/metrics/interval.js';
import type { PointingRow } from '../../explain/pointing/pointing.js';
import { decimals, percent, ratio } from '../../text/numbers.js';
import { paddedTable } from '../../text/padded-table.js';

/** How well maps hit masks, a finding a line. */
export function formatPointing(rows: readonly PointingRow[]): string {
  const share = (value: number) => percent(value, 1);
  const cells = rows.map(({ finding, images, area, hits, energy, ratio: times }) => [
    finding,
    String(images),
    share(area),
    ...withInterval(hits, share),
    ...withInterval(energy, share),
    ...withInterval(times, ratio),
  ]);
  const header = ['finding', 'images', 'mask', 'hits', '', 'energy', '', 'energy / mask', ''];
  const lines = paddedTable([header, ...cells], {
    right: (column) => column > 0 && ![4, 6, 8].includes(column),
  });
  return [
    ...lines,
    'mask: its share of the image. hits: maps with their highest value inside it. energy: the share of a map inside it.',
    `95 % intervals over patients; energy / mask of chance is 1. Lowest: ${lowest(rows)}.`,
  ].join('\n');
}

function withInterval({ estimate, low, high }: Interval, write: (value: number) => string): [string, string] {
  return [write(estimate), Number.isNaN(low) ? '' : `[${write(low)}, ${write(high)}]`];
}

function lowest(rows: readonly PointingRow[]): string {
  const least = rows.toSorted((a, b) => a.ratio.estimate - b.ratio.estimate)[0];
  return least ? `${least.finding}, ${decimals(least.ratio.estimate, 1)}` : 'none';
}
