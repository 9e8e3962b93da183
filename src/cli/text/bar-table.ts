import type { Interval } from '../../eval/metrics/interval.js';
import { range } from '../../report/format.js';
import { bar } from '../../text/bar.js';
import type { Drawing, FittedColumn } from '../../text/fitted-table.js';
import { decimals, NOTHING } from '../../text/numbers.js';
import { padCell } from '../../text/padded-table.js';
import type { Style } from '../../text/styled.js';
import type { Terminal } from './terminal.js';

/** Columns that show a metric with its interval: a bar, the number, and the two ends. */

/** As far as it is drawn; an interval that is missing has NaN, or is absent as a whole. */
export interface Measured {
  readonly value: number | null | undefined;
  readonly interval?: Pick<Interval, 'low' | 'high'> | null | undefined;
}

export interface MetricColumns<Row> {
  /** Of the number, such as `AP`. */
  readonly title: string;
  measured(row: Row): Measured;
  /** Of the bar. */
  style?(row: Row): Style | undefined;
  /** When the ends of the interval are left out, as numbers; the bar stays longer than they. */
  readonly leaveInterval: number;
  readonly leaveBar?: number;
}

const BAR: Pick<Drawing<never>, 'narrowest' | 'widest' | 'title'> = {
  narrowest: 8,
  widest: 24,
  title: (width) => padCell('0', width - 1) + 1,
};

/** Bar, number, interval. */
export function metricColumns<Row>(
  metric: MetricColumns<Row>,
  terminal: Pick<Terminal, 'bars'>,
): FittedColumn<Row>[] {
  const { title, measured, leaveInterval } = metric;
  return [
    barColumn(metric, terminal),
    { title, right: true, content: (row) => decimals(measured(row).value) },
    {
      title: '95 % interval',
      right: true,
      leave: leaveInterval,
      content: (row) => ends(measured(row)),
    },
  ];
}

/** A bar is as long as the value is large, from 0 to 1. */
export function barColumn<Row>(
  { title, measured, style, leaveBar }: Omit<MetricColumns<Row>, 'leaveInterval'>,
  { bars }: Pick<Terminal, 'bars'>,
): FittedColumn<Row> {
  return {
    title: `${title}, drawn`,
    ...(leaveBar !== undefined && { leave: leaveBar }),
    content: {
      ...BAR,
      draw(row, width) {
        const { value, interval } = measured(row);
        const { low = Number.NaN, high = Number.NaN } = interval ?? {};
        return { text: bar({ value: value ?? Number.NaN, low, high }, width, bars), style: style?.(row) };
      },
    },
  };
}

function ends({ value, interval }: Measured): string {
  if (value === null || value === undefined || Number.isNaN(value)) return '';
  return interval ? range(interval) : NOTHING;
}
