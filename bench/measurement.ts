import { leastMs, type Roofline } from '#src/engine/roofline.js';
import type { Cost } from './entrant.js';
import { spread } from './statistics.js';
import type { Who, Workload } from './workload.js';

/** One library's time for one workload, with the names of `--json`. */
export interface Measurement {
  readonly work: string;
  readonly who: Who;
  readonly direction: string;
  /** For people, e.g. `8×32×32×64 → 32×32×64`. */
  readonly shape: string;
  readonly dtype: string;
  readonly msMedian: number;
  readonly msMin: number;
  readonly msMax: number;
  /** 10⁹ operations of the definition a second, at the median; null where the work is none of the adapter's. */
  readonly gflops: number | null;
  /** 10⁹ bytes that must be moved at least, a second, at the median; null likewise. */
  readonly gbps: number | null;
  /** Part of what the adapter could do at this workload's arithmetic intensity; null for libraries on the CPU too. */
  readonly rooflineShare: number | null;
  /** Most bytes of tensors at any time; null where the library does not tell. */
  readonly peakBytes: number | null;
  /** What it ran on. */
  readonly adapter: string;
}

/** What was measured of one library: the milliseconds of each round, and its memory. */
export interface Timing {
  readonly who: Who;
  readonly rounds: readonly number[];
  readonly peakBytes: number | null;
}

export interface Surroundings {
  readonly roofline: Pick<Roofline, 'gflops' | 'gbps'>;
  /** The adapter's description. */
  readonly adapter: string;
}

export function measurementOf(
  { name, direction, shape, dtype }: Workload,
  costs: readonly Cost[],
  { who, rounds, peakBytes }: Timing,
  { roofline, adapter }: Surroundings,
): Measurement {
  const { median, min, max } = spread(rounds);
  const onCpu = who === 'onnxruntime-cpu' || who === 'pytorch-cpu';
  const { flops, bytes, roofMs } = totals(costs, roofline);
  return {
    work: name,
    who,
    direction,
    shape,
    dtype,
    msMedian: median,
    msMin: min,
    msMax: max,
    gflops: roofMs > 0 ? flops / median / 1e6 : null,
    gbps: roofMs > 0 ? bytes / median / 1e6 : null,
    rooflineShare: onCpu || roofMs === 0 ? null : roofMs / median,
    peakBytes,
    adapter: onCpu ? 'cpu' : adapter,
  };
}

export interface Totals extends Cost {
  /** What the adapter would need if each piece of the work reached the roof. */
  readonly roofMs: number;
  /** Whether most of that time goes to multiply-adds or to memory. */
  readonly bound: 'flops' | 'memory';
}

/** @param costs pieces of work, one after another */
export function totals(costs: readonly Cost[], roofline: Surroundings['roofline']): Totals {
  const sum = { flops: 0, bytes: 0, roofMs: 0 };
  let computing = 0;
  for (const { flops, bytes } of costs) {
    const least = leastMs(roofline, { flops, bytes });
    sum.flops += flops;
    sum.bytes += bytes;
    sum.roofMs += least;
    if (flops / roofline.gflops > bytes / roofline.gbps) computing += least;
  }
  return { ...sum, bound: computing > sum.roofMs / 2 ? 'flops' : 'memory' };
}
