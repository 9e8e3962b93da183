import type { PlanRow } from '../engine/build.js';
import type { OpTime } from '../engine/profile.js';

/** The compiled step as a table for people: what runs, in which variant, what it costs, and how long it took. */

type Column = { readonly title: string; readonly right: boolean; cell(row: PlanRow | OpTime): string };

const COLUMNS: readonly Column[] = [
  { title: 'op', right: false, cell: (row) => row.label },
  { title: 'shapes', right: false, cell: (row) => row.shape },
  { title: 'variant', right: false, cell: (row) => row.variant },
  { title: 'bytes', right: true, cell: (row) => scaled(row.bytes) },
  { title: 'FLOPs', right: true, cell: (row) => scaled(row.flops) },
];

const TIME_COLUMNS: readonly Column[] = [
  { title: 'ms', right: true, cell: (row) => ('ms' in row ? row.ms.toFixed(3) : '') },
  { title: 'GFLOP/s', right: true, cell: (row) => ('ms' in row ? row.gflops.toFixed(1) : '') },
  { title: 'GB/s', right: true, cell: (row) => ('ms' in row ? row.gbps.toFixed(1) : '') },
];

/** Widest a column gets; what is longer is cut in the middle. */
const WIDEST = 56;

/** A line an op, in the order in which they run, and a line of sums. With times where `rows` have them. */
export function formatPlan(rows: readonly PlanRow[] | readonly OpTime[]): string {
  const timed = rows.some((row) => 'ms' in row);
  const columns = timed ? [...COLUMNS, ...TIME_COLUMNS] : COLUMNS;
  const body = rows.map((row) => columns.map((column) => shortened(column.cell(row))));
  const lines = [columns.map(({ title }) => title), ...body];
  const widths = columns.map((_, c) => Math.max(...lines.map((cells) => cells[c]?.length ?? 0)));
  const text = lines.map((cells) =>
    cells
      .map((cell, c) => (columns[c]?.right ? cell.padStart(widths[c] ?? 0) : cell.padEnd(widths[c] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
  return `${text.join('\n')}\n${sums(rows)}\n`;
}

function sums(rows: readonly (PlanRow | OpTime)[]): string {
  const total = (value: (row: PlanRow | OpTime) => number) => rows.reduce((sum, row) => sum + value(row), 0);
  const parts = [
    `${rows.length} ops`,
    `${total((row) => row.dispatches)} dispatches`,
    `${scaled(total((row) => row.bytes))}B moved`,
    `${scaled(total((row) => row.flops))}FLOP`,
  ];
  const ms = total((row) => ('ms' in row ? row.ms : 0));
  if (ms > 0)
    parts.push(`${ms.toFixed(1)} ms`, `${(total((row) => row.flops) / ms / 1e6).toFixed(1)} GFLOP/s`);
  return parts.join(', ');
}

function scaled(value: number): string {
  for (const [unit, size] of UNITS) if (value >= size) return `${(value / size).toFixed(1)} ${unit}`;
  return `${value} `;
}

const UNITS = [
  ['G', 1e9],
  ['M', 1e6],
  ['k', 1e3],
] as const;

function shortened(cell: string): string {
  if (cell.length <= WIDEST) return cell;
  const half = Math.floor((WIDEST - 1) / 2);
  return `${cell.slice(0, half)}…${cell.slice(-half)}`;
}
