import { decimals } from '#src/text/numbers.js';
import { fullName } from '../selection.js';
import { CONTENDERS, type Peer } from '../workload.js';
import { WORKLOADS } from '../workloads/all.js';
import { type KeptRow, type KeptRun, readRun } from './kept-run.js';
import { markdownTable, milliseconds, nameOf, roofShare, timesAsLong } from './row-text.js';
import { SHOWN_RUNS, type ShownRun } from './shown-runs.js';

/** What stands between the markers of the pages, from kept results alone. */
export interface PageTable {
  /** From the project's folder. */
  readonly page: string;
  /** The markers are `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`. */
  readonly name: string;
  /** @param results the folder bench/results @returns Markdown */
  write(results: string): string;
}

const DOCS = 'docs/benchmark.md';

export const PAGE_TABLES: readonly PageTable[] = [
  { page: 'README.md', name: 'steps', write: (results) => steps(shown(results, SHOWN_RUNS.lavapipe)) },
  docsTable('lavapipe', ''),
  docsTable('attention', ''),
  docsTable('swiftshader', ''),
  docsTable('gpu', 'A hardware GPU has not been at hand: this table is still empty.'),
];

function docsTable(name: keyof typeof SHOWN_RUNS, otherwise: string): PageTable {
  return {
    page: DOCS,
    name,
    write(results) {
      const runs = shown(results, SHOWN_RUNS[name]);
      return runs.length === 0 ? otherwise : everyRow(runs);
    },
  };
}

function shown(results: string, runs: readonly ShownRun[]): KeptRun[] {
  return runs.map((run) => readRun(results, run));
}

/** A table of all rows, the settings behind their names, and where the numbers come from. */
function everyRow(runs: readonly KeptRun[]): string {
  const shownRows = rowsOf(runs);
  const rows = shownRows.map(({ row }) => row);
  const peers = CONTENDERS.filter(
    (who): who is Peer => who !== 'tailray' && rows.some(({ measured }) => measured.has(who)),
  );
  const head = ['work', 'shape', 'tailray', 'of the roof', ...peers.map((peer) => `× ${nameOf(peer)}`)];
  const table = markdownTable(
    head,
    rows.map((row) => {
      const own = row.measured.get('tailray');
      if (!own) return [];
      const ratios = peers.map((peer) => timesAsLong(row, peer));
      return [`${row.name}, ${row.direction}`, own.shape, milliseconds(own), roofShare(own), ...ratios];
    }),
  );
  const [last] = runs.slice(-1);
  const picture = `![How many times as long other libraries take, for each workload](../bench/results/${last?.folder}/speedup.svg)`;
  return paragraphs(table, settingsList(rows), sources(shownRows, '../'), picture);
}

/** Whole training steps, for readers who want to know no more. */
function steps(runs: readonly KeptRun[]): string {
  const shownRows = rowsOf(runs).filter(
    ({ row: { name, direction } }) => direction === 'step' && /px-batch\d+$/.test(name),
  );
  const rows = shownRows.map(({ row }) => row);
  const peers = ['tfjs-webgpu', 'pytorch-cpu'] as const;
  const table = markdownTable(
    ['training step', 'tailray', ...peers.map(nameOf)],
    rows.map((row) => {
      const own = row.measured.get('tailray');
      const ratios = peers.map((peer) => {
        const times = timesAsLong(row, peer);
        return times === '' ? 'not measured' : `${times} × as long`;
      });
      return [row.name, own ? milliseconds(own) : '', ...ratios];
    }),
  );
  return paragraphs(table, settingsList(rows), sources(shownRows, ''));
}

function paragraphs(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('\n\n');
}

function settingsList(rows: readonly KeptRow[]): string {
  return rows
    .flatMap((row) => {
      const text = settingsOf(row);
      return text === undefined ? [] : [`- ${row.name}, ${row.direction}: ${text}.`];
    })
    .join('\n');
}

interface ShownRow {
  readonly row: KeptRow;
  readonly run: KeptRun;
}

/** Each row from the first run that has it, in the order of the benchmark. */
function rowsOf(runs: readonly KeptRun[]): ShownRow[] {
  const rows = new Map<string, ShownRow>();
  for (const { row, run } of runs.flatMap((each) => each.rows.map((row) => ({ row, run: each })))) {
    const key = fullName(row);
    if (!rows.has(key) && row.measured.has('tailray')) rows.set(key, { row, run });
  }
  const order = WORKLOADS.map(fullName);
  const place = (key: string) => (order.includes(key) ? order.indexOf(key) : order.length);
  return [...rows].sort(([a], [b]) => place(a) - place(b)).map(([, row]) => row);
}

/** As it was measured, or, where a run did not keep it, as the workload of this name is declared. */
function settingsOf(row: KeptRow): string | undefined {
  const declared = WORKLOADS.find((workload) => fullName(workload) === fullName(row));
  return row.measured.get('tailray')?.settings ?? declared?.settings;
}

function sources(rows: readonly ShownRow[], up: string): string {
  const runs = new Set(rows.map(({ run }) => run));
  const each = [...runs].map(({ folder, header: { date, adapter, roofline } }) => {
    const rates = `copy ${decimals(roofline.gbps, 1)} GB/s, multiply-add ${decimals(roofline.gflops, 0)} GFLOP/s`;
    return `[${folder}](${up}bench/results/${folder}) of ${date.slice(0, 10)} on ${adapter} (${rates})`;
  });
  return `Milliseconds are medians, with the lowest and the highest round. From ${each.join('; ')}.`;
}
