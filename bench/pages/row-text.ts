import { percent, threeDigits } from '#src/text/numbers.js';
import { speedup } from '../statistics.js';
import type { Peer, Who } from '../workload.js';
import type { KeptMeasurement, KeptRow } from './kept-run.js';

/** Cells of a page's tables. */

export function milliseconds({ msMedian, msMin, msMax }: KeptMeasurement): string {
  return `${threeDigits(msMedian)} ms (${threeDigits(msMin)}–${threeDigits(msMax)})`;
}

export function roofShare({ rooflineShare }: KeptMeasurement): string {
  return rooflineShare === null ? '' : percent(rooflineShare, 0);
}

/** How many times as long a library takes; empty where it was not measured. */
export function timesAsLong(row: KeptRow, peer: Peer): string {
  const [ours, theirs] = [row.measured.get('tailray'), row.measured.get(peer)];
  if (!ours || !theirs) return '';
  return threeDigits(ratio(ours, theirs));
}

/** The median of the rounds' ratios, or the ratio of medians where a run kept no rounds. */
function ratio(ours: KeptMeasurement, theirs: KeptMeasurement): number {
  if (!ours.rounds || !theirs.rounds) return theirs.msMedian / ours.msMedian;
  return speedup(ours.rounds, theirs.rounds).median;
}

const NAMES: Readonly<Record<Who, string>> = {
  tailray: 'tailray',
  'tailray-f16': 'tailray in f16',
  'tailray-unfused': 'tailray unfused',
  'tfjs-webgpu': 'tfjs',
  'jax-js': 'jax-js',
  'onnxruntime-cpu': 'ONNX Runtime on the CPU',
  'pytorch-cpu': 'PyTorch on the CPU',
  'pytorch-cuda': 'PyTorch by CUDA',
};

export function nameOf(who: Who): string {
  return NAMES[who];
}

export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`.replace(/ {2,}/g, ' ');
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}
