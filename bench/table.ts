import type { Roofline } from '#src/engine/roofline.js';
import { formatMicroseconds } from '#src/text/duration.js';
import { decimals, NOTHING, percent, threeDigits } from '#src/text/numbers.js';
import { padCell } from '#src/text/padded-table.js';
import type { Comparison } from './compare.js';
import type { Cost } from './entrant.js';
import { type Measurement, measurementOf, type Surroundings, totals } from './measurement.js';
import { fullName } from './selection.js';
import { speedup } from './statistics.js';
import { CONTENDERS, type Peer, type Who, type Workload } from './workload.js';

/** The benchmark as a person reads it: a line a workload, printed as soon as it is measured. */

const WORK = 32;
const DIRECTION = 9;
const PEER = 22;

/** What the adapter can do at all, against which everything below is held. */
export function rooflineLines(roofline: Roofline, adapter: string): string {
  const { gflopsF16, dispatchMs, submitMs } = roofline;
  const f16 = gflopsF16 === undefined ? '' : `, ${decimals(gflopsF16, 0)} in f16`;
  const overheads = `a dispatch ${formatMicroseconds(dispatchMs)}, a submit ${formatMicroseconds(submitMs)}`;
  return `${adapter}\n${rates(roofline)}${f16}; ${overheads}`;
}

/** The same adapter once more: on a shared machine the roof itself moves while a table is made. */
export function rooflineNote(roofline: Roofline): string {
  return `The roof again, after the last round: ${rates(roofline)}.`;
}

/** @param peers in the order of their columns */
export function tableHead(peers: readonly Peer[]): string {
  const columns = [
    padCell('work', WORK),
    padCell('', DIRECTION),
    padCell('ms', 9, true),
    padCell('GFLOP/s', 8, true),
    padCell('GB/s', 6, true),
    padCell('roof', 9, true),
    ...peers.map((peer) => padCell(`× ${peer}`, PEER, true)),
  ];
  const line = columns.join(' ').trimEnd();
  return `${line}\n${'─'.repeat(line.length)}`;
}

/**
 * tailray's line, and how many times faster it is than each peer: median over the rounds, and lowest to highest.
 */
export function tableLine(
  { workload, costs, timings, failures }: Comparison,
  peers: readonly Peer[],
  surroundings: Surroundings,
): string {
  const own = timings.find(({ who }) => who === 'tailray');
  if (!own) throw new RangeError('a comparison without tailray');
  const measured = measurementOf(workload, costs, own, surroundings);
  const ratios = peers.map((peer) => {
    const theirs = timings.find(({ who }) => who === peer);
    if (theirs) return ratio(own.rounds, theirs.rounds);
    return failures.some(({ who }) => who === peer) ? 'failed' : NOTHING;
  });
  return [
    padCell(workload.name, WORK),
    padCell(workload.direction, DIRECTION),
    padCell(threeDigits(measured.msMedian), 9, true),
    padCell(threeDigits(measured.gflops), 8, true),
    padCell(threeDigits(measured.gbps), 6, true),
    padCell(roof(measured, costs, surroundings), 9, true),
    ...ratios.map((text) => padCell(text, PEER, true)),
  ]
    .join(' ')
    .trimEnd();
}

/** What the names and the columns mean. */
export function tableFoot(workloads: readonly Workload[]): string {
  const settings = workloads.flatMap((workload) =>
    workload.settings === undefined ? [] : [`${fullName(workload)}: ${workload.settings}.`],
  );
  return [
    '',
    ...settings,
    '',
    'ms, GFLOP/s and GB/s are tailray’s medians. roof: share of what the adapter could do at this workload’s arithmetic',
    'intensity, bound by multiply-adds (f) or by memory (m). ×: how many times faster tailray is, median (lowest–highest)',
    'of the rounds. f16: tensors are stored in half precision. Small work that stays in the caches may pass the memory roof.',
  ].join('\n');
}

/** The libraries of a table's columns: those that are present and have one of the workloads, in the usual order. */
export function peerColumns(
  present: ReadonlySet<Who>,
  workloads: readonly Pick<Workload, 'entries'>[],
): Peer[] {
  return CONTENDERS.filter(
    (who): who is Peer =>
      who !== 'tailray' && present.has(who) && workloads.some(({ entries }) => entries[who] !== undefined),
  );
}

function ratio(ours: readonly number[], theirs: readonly number[]): string {
  const { median, min, max } = speedup(ours, theirs);
  return `${threeDigits(median)} (${threeDigits(min)}–${threeDigits(max)})`;
}

function roof({ rooflineShare }: Measurement, costs: readonly Cost[], { roofline }: Surroundings): string {
  if (rooflineShare === null) return NOTHING;
  const bound = totals(costs, roofline).bound === 'flops' ? 'f' : 'm';
  return `${percent(rooflineShare, 0)} ${bound}`;
}

function rates({ gflops, gbps }: Roofline): string {
  return `copy ${decimals(gbps, 1)} GB/s, multiply-add ${decimals(gflops, 0)} GFLOP/s in f32`;
}
