import { leastMs, type Roofline } from '#src/engine/roofline.js';
import type { Cost } from './entrant.js';
import { spread } from './statistics.js';
import type { Direction, Who, Workload } from './workload.js';

/** One library's time for one workload, with the names of `--json`. */
export interface Measurement {
  readonly work: string;
  readonly who: Who;
  readonly direction: Direction;
  /** For people, e.g. `8×32×32×64 → 32×32×64`. */
  readonly shape: string;
  /** What work and shape leave open, such as a network's stem, loss and optimizer. */
  readonly settings?: string;
  /** Of large tensors in memory; `f16` is mixed precision. */
  readonly dtype: 'f32' | 'f16';
  readonly msMedian: number;
  readonly msMin: number;
  readonly msMax: number;
  /** Milliseconds of each round. Libraries take turns, so ratios belong within a round. */
  readonly rounds: readonly number[];
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
  /** Where its work is not that of all the others: in mixed precision fewer bytes move. */
  readonly costs?: readonly Cost[] | undefined;
}

export interface Surroundings {
  readonly roofline: Pick<Roofline, 'gflops' | 'gbps'> & { readonly gflopsF16?: number | undefined };
  /** The adapter's description. */
  readonly adapter: string;
}

export function measurementOf(
  { name, direction, shape, settings }: Workload,
  costs: readonly Cost[],
  { who, rounds, peakBytes, costs: own = costs }: Timing,
  { roofline, adapter }: Surroundings,
): Measurement {
  const { median, min, max } = spread(rounds);
  const place = OTHER_PLACES[who] ?? adapter;
  const dtype = who === 'tailray-f16' ? 'f16' : 'f32';
  const { flops, bytes, roofMs } = totals(own, dtype === 'f16' ? halfRoof(roofline) : roofline);
  return {
    work: name,
    who,
    direction,
    shape,
    ...(settings !== undefined && { settings }),
    dtype,
    msMedian: median,
    msMin: min,
    msMax: max,
    rounds,
    gflops: roofMs > 0 ? flops / median / 1e6 : null,
    gbps: roofMs > 0 ? bytes / median / 1e6 : null,
    rooflineShare: place !== adapter || roofMs === 0 ? null : roofMs / median,
    peakBytes,
    adapter: place,
  };
}

/** What libraries run on that do not run on the adapter. */
const OTHER_PLACES: { readonly [W in Who]?: string } = {
  'onnxruntime-cpu': 'cpu',
  'pytorch-cpu': 'cpu',
  'pytorch-cuda': 'cuda',
};

/** Kernels of mixed precision may multiply in either precision: what they are held against is the faster of both. */
function halfRoof({ gflops, gflopsF16 = 0, gbps }: Surroundings['roofline']): Surroundings['roofline'] {
  return { gflops: Math.max(gflops, gflopsF16), gbps };
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
