import { leastMs, type Roofline } from '../../engine/roofline.js';
import type { PlanRow } from '../../engine/run/build.js';
import type { Explanation } from '../../engine/run/explanation.js';
import { alike, type OpGroup, sumUp, worthShowing } from '../../engine/run/op-groups.js';
import type { OpTime } from '../../engine/run/profile.js';
import { formatByteSize } from '../../text/byte-size.js';
import { decimals, NOTHING, percent, scaled } from '../../text/numbers.js';
import { paddedTable } from '../../text/padded-table.js';
import { shortenInMiddle } from '../../text/shorten.js';
import type { StepTimes } from '../../train/step/explained-step.js';
import { describeRoofline } from './roofline-text.js';

/** An explanation for people: a table of the ops that cost the most time, and a few lines about the rest of a step. */

/** `top`: equal ops as one row, the slowest first, until little is left; `all`: every op in the order of running. */
export type ExplainWhat = 'top' | 'all';

/** A program's; that of a training step also has its times on the host. */
type Explained = Explanation & { readonly step?: StepTimes | null };

export function formatExplanation(explanation: Explained, what: ExplainWhat = 'top'): string {
  const { ops, roofline } = explanation;
  const total = opsTotal(ops);
  const groups = what === 'all' ? ops.map((op) => sumUp([op])) : alike(ops);
  if (what === 'top') groups.sort((a, b) => cost(b, roofline) - cost(a, roofline));
  const shown = what === 'all' ? groups : worthShowing(groups, (group) => cost(group, roofline));
  const rest = groups.slice(shown.length);
  const lines = [
    ...layOut(shown, { total, roofline }),
    ...(rest.length > 0 ? [describeRest(rest, total)] : []),
    '',
    ...footer(explanation, total),
  ];
  return `${lines.join('\n')}\n`;
}

/** Milliseconds, or at least that where nothing was timed. */
function cost(group: OpGroup, roofline: Roofline): number {
  return group.ms ?? leastMs(roofline, group);
}

interface Whole {
  readonly total: Total;
  readonly roofline: Roofline;
}

interface Column {
  readonly title: string;
  readonly right?: boolean;
  cell(group: OpGroup, whole: Whole): string;
}

const COLUMNS: readonly Column[] = [
  { title: 'op', cell: ({ op, count }) => (count > 1 ? `${op} ×${count}` : op) },
  { title: 'where', cell: ({ label, count }) => scopes(label) + (count > 1 ? ', …' : '') },
  { title: 'shapes', cell: ({ shape }) => shape },
  { title: 'kernel', cell: ({ variant, by }) => (by === 'only' ? variant : `${variant} (${by})`) },
  { title: 'bytes', right: true, cell: ({ bytes }) => scaled(bytes) },
  { title: 'FLOPs', right: true, cell: ({ flops }) => scaled(flops) },
];

const TIME_COLUMNS: readonly Column[] = [
  { title: 'ms', right: true, cell: ({ ms = 0 }) => decimals(ms, 2) },
  { title: 'share', right: true, cell: ({ ms = 0 }, { total }) => roughPercent(ms / total.ms) },
  { title: 'GFLOP/s', right: true, cell: ({ ms = 0, flops }) => rate(flops, ms) },
  { title: 'GB/s', right: true, cell: ({ ms = 0, bytes }) => rate(bytes, ms) },
  {
    title: 'of roof',
    right: true,
    cell: ({ ms = 0, ...work }, { roofline }) => roughPercent(leastMs(roofline, work) / ms),
  },
];

/** Widest a column gets; longer cells are cut in the middle. */
const WIDEST = 48;

function layOut(groups: readonly OpGroup[], whole: Whole): string[] {
  const timed = groups.some(({ ms }) => ms !== undefined);
  const columns = timed ? [...COLUMNS, ...TIME_COLUMNS] : COLUMNS;
  const body = groups.map((group) =>
    columns.map((column) => shortenInMiddle(column.cell(group, whole), WIDEST)),
  );
  const rows = [columns.map(({ title }) => title), ...body];
  return paddedTable(rows, { right: (column) => columns[column]?.right ?? false });
}

interface Total {
  readonly ops: number;
  readonly dispatches: number;
  readonly flops: number;
  readonly bytes: number;
  readonly ms: number;
}

function opsTotal(ops: readonly (PlanRow | OpTime)[]): Total {
  const sum = (value: (op: PlanRow | OpTime) => number) => ops.reduce((all, op) => all + value(op), 0);
  return {
    ops: ops.length,
    dispatches: sum((op) => op.dispatches),
    flops: sum((op) => op.flops),
    bytes: sum((op) => op.bytes),
    ms: sum((op) => ('ms' in op ? op.ms : 0)),
  };
}

function describeRest(rest: readonly OpGroup[], total: Total): string {
  const count = rest.reduce((sum, group) => sum + group.count, 0);
  const ms = rest.reduce((sum, group) => sum + (group.ms ?? 0), 0);
  return `${count} other ${count === 1 ? 'op' : 'ops'}${ms > 0 ? `: ${decimals(ms, 2)} ms, ${roughPercent(ms / total.ms)}` : ''}`;
}

function footer({ ops, profiledRuns, step, bytes, roofline }: Explained, total: Total): string[] {
  const least = ops.reduce((sum, op) => sum + leastMs(roofline, op), 0);
  const work = `${total.ops} ops, ${total.dispatches} dispatches, ${scaled(total.flops)}FLOP, ${scaled(total.bytes)}B`;
  const speed =
    total.ms > 0
      ? `: ${decimals(total.ms, 1)} ms (median of ${profiledRuns} runs), ${rate(total.flops, total.ms)} GFLOP/s, ` +
        `${rate(total.bytes, total.ms)} GB/s, ${roughPercent(least / total.ms)} of the roof`
      : '';
  return [
    `all        ${work}${speed}`,
    ...(step ? describeStep(step, total) : []),
    `memory     ${formatByteSize(bytes.total)} at the peak: ${formatByteSize(bytes.arenas)} weights and state, ` +
      `${formatByteSize(bytes.intermediates)} intermediates, ${formatByteSize(bytes.textures)} textures, ` +
      `${formatByteSize(bytes.leaves)} inputs and constants`,
    `roof       ${describeRoofline(roofline)}, measured now`,
  ];
}

function describeStep(step: StepTimes, total: Total): string[] {
  const { stepMs, batchMs, deviceMs, uploadMs, recordMs, submitMs, scalarsMs, steps } = step;
  const busy = total.ms > 0 ? `, kernels for ${roughPercent(Math.min(1, total.ms / stepMs))} of it` : '';
  return [
    `step       ${decimals(stepMs, 1)} ms (mean of ${steps})${busy}`,
    `host       ${decimals(recordMs + submitMs, 2)} ms fixed (record ${decimals(recordMs, 2)}, submit ${decimals(submitMs, 2)}), ` +
      `upload ${decimals(uploadMs, 2)}, waits: device ${decimals(deviceMs, 1)}, next batch ${decimals(batchMs, 1)}, ` +
      `losses ${decimals(scalarsMs, 1)}`,
  ];
}

/** Where in the network an op was traced: its label without its own name. */
function scopes(label: string): string {
  return label.split('.').slice(0, -1).join('.');
}

function rate(work: number, ms: number): string {
  return ms > 0 ? decimals(work / ms / 1e6, 1) : NOTHING;
}

/** Times are known to two digits at best. */
function roughPercent(share: number): string {
  return percent(share, share < 0.0995 ? 1 : 0);
}
