import { BenchError } from './bench-error.js';
import { CONTENDERS, type Peer, type Workload } from './workload.js';

/** What of the benchmark was asked for. */

/** How a workload is called on the command line: `conv3x3-8x32x32x64/dX`. */
export function fullName({ name, direction }: Pick<Workload, 'name' | 'direction'>): string {
  return `${name}/${direction}`;
}

/**
 * In the order of `wanted`, the workloads whose full name contains one of them (case does not matter, and a part before and a part after `/`
 * may each be shortened: `depthwise/dW`); all when nothing is wanted.
 * @throws BenchError if one of `wanted` fits none
 */
export function selectWorkloads<T extends Pick<Workload, 'name' | 'direction'>>(
  workloads: readonly T[],
  wanted: readonly string[],
): T[] {
  for (const part of wanted) {
    if (workloads.some((workload) => fits(workload, part))) continue;
    const names = [...new Set(workloads.map(({ name }) => name))];
    throw new BenchError(`no workload is called "${part}". There are: ${names.join(', ')}`);
  }
  if (wanted.length === 0) return [...workloads];
  return [...new Set(wanted.flatMap((part) => workloads.filter((workload) => fits(workload, part))))];
}

/**
 * The libraries to compare with, `none` being none; all when nothing is wanted. A part of a name will do.
 * @throws BenchError if one of `wanted` fits none
 */
export function selectPeers(wanted: readonly string[]): Peer[] {
  const peers = CONTENDERS.filter((who) => who !== 'tailray');
  if (wanted.length === 0) return peers;
  const names = wanted.filter((name) => name !== 'none');
  for (const name of names) {
    if (peers.some((peer) => peer.includes(name))) continue;
    throw new BenchError(`there is no "${name}" to compare with: there are ${peers.join(', ')}, and none`);
  }
  return peers.filter((peer) => names.some((name) => peer.includes(name)));
}

function fits(workload: Pick<Workload, 'name' | 'direction'>, part: string): boolean {
  const [name = '', direction = ''] = part.toLowerCase().split('/');
  return workload.name.toLowerCase().includes(name) && workload.direction.toLowerCase().startsWith(direction);
}
