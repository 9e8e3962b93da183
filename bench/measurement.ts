import { type Roofline, rooflineShare } from '#src/engine/roofline.js';
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
  /** 10⁹ operations of the definition a second, at the median. */
  readonly gflops: number;
  /** 10⁹ bytes that must be moved at least, a second, at the median. */
  readonly gbps: number;
  /** Part of what the adapter could do at this workload's arithmetic intensity; null for libraries on the CPU. */
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
  workload: Workload,
  { who, rounds, peakBytes }: Timing,
  { roofline, adapter }: Surroundings,
): Measurement {
  const { median, min, max } = spread(rounds);
  const { name, direction, shape, dtype, flops, bytes } = workload;
  const onCpu = who === 'onnxruntime-cpu' || who === 'pytorch-cpu';
  return {
    work: name,
    who,
    direction,
    shape,
    dtype,
    msMedian: median,
    msMin: min,
    msMax: max,
    gflops: flops / median / 1e6,
    gbps: bytes / median / 1e6,
    rooflineShare: onCpu ? null : rooflineShare(roofline, { flops, bytes, ms: median }),
    peakBytes,
    adapter: onCpu ? 'cpu' : adapter,
  };
}
