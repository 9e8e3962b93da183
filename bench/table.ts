import type { Roofline } from '#src/engine/roofline.js';
import type { Comparison } from './compare.js';
import type { Cost } from './entrant.js';
import { type Measurement, measurementOf, type Surroundings, totals } from './measurement.js';
import { speedup } from './statistics.js';
import { CONTENDERS, type Peer, type Who } from './workload.js';

/** The benchmark as a person reads it: a line a workload, printed as soon as it is measured. */

const WORK = 32;
const DIRECTION = 9;
const PEER = 22;

/** What the adapter can do at all, against which everything below is held. */
export function rooflineLines(roofline: Roofline, adapter: string): string {
  const { gflopsF16, dispatchMs, submitMs } = roofline;
  const f16 = gflopsF16 === undefined ? '' : `, ${gflopsF16.toFixed(0)} in f16`;
  const overheads = `a dispatch ${microseconds(dispatchMs)}, a submit ${microseconds(submitMs)}`;
  return `${adapter}\n${rates(roofline)}${f16}; ${overheads}`;
}

/** The same adapter once more: on a shared machine the roof itself moves while a table is made. */
export function rooflineNote(roofline: Roofline): string {
  return `The roof again, after the last round: ${rates(roofline)}.`;
}

/** @param peers in the order of their columns */
export function tableHead(peers: readonly Peer[]): string {
  const columns = [
    'work'.padEnd(WORK),
    ''.padEnd(DIRECTION),
    'ms'.padStart(9),
    'GFLOP/s'.padStart(8),
    'GB/s'.padStart(6),
    'roof'.padStart(9),
    ...peers.map((peer) => `× ${peer}`.padStart(PEER)),
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
    return failures.some(({ who }) => who === peer) ? 'failed' : '–';
  });
  return [
    workload.name.padEnd(WORK),
    workload.direction.padEnd(DIRECTION),
    digits(measured.msMedian).padStart(9),
    rate(measured.gflops).padStart(8),
    rate(measured.gbps).padStart(6),
    roof(measured, costs, surroundings).padStart(9),
    ...ratios.map((text) => text.padStart(PEER)),
  ]
    .join(' ')
    .trimEnd();
}

/** What the columns mean. */
export function tableFoot(): string {
  return [
    '',
    'ms, GFLOP/s and GB/s are tailray’s medians. roof: share of what the adapter could do at this workload’s arithmetic',
    'intensity, bound by multiply-adds (f) or by memory (m). ×: how many times faster tailray is, median (lowest–highest)',
    'of the rounds. Small work that stays in the caches may pass the memory roof.',
  ].join('\n');
}

/** The libraries of a table's columns: those that may take part, in the usual order. */
export function peerColumns(present: ReadonlySet<Who>): Peer[] {
  return CONTENDERS.filter((who): who is Peer => who !== 'tailray' && present.has(who));
}

function ratio(ours: readonly number[], theirs: readonly number[]): string {
  const { median, min, max } = speedup(ours, theirs);
  return `${digits(median)} (${digits(min)}–${digits(max)})`;
}

function roof({ rooflineShare }: Measurement, costs: readonly Cost[], { roofline }: Surroundings): string {
  if (rooflineShare === null) return '–';
  const bound = totals(costs, roofline).bound === 'flops' ? 'f' : 'm';
  return `${(100 * rooflineShare).toFixed(0)} % ${bound}`;
}

function rate(value: number | null): string {
  return value === null ? '–' : digits(value);
}

/** Three digits, whatever the size. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (value >= 99.95) return value.toFixed(0);
  if (value >= 9.995) return value.toFixed(1);
  return value >= 0.9995 ? value.toFixed(2) : value.toFixed(3);
}

function rates({ gflops, gbps }: Roofline): string {
  return `copy ${gbps.toFixed(1)} GB/s, multiply-add ${gflops.toFixed(0)} GFLOP/s in f32`;
}

function microseconds(ms: number): string {
  return `${(ms * 1000).toFixed(0)} µs`;
}
