import { median } from '../choose/median.js';
import type { Device } from '../device.js';
import { KernelError } from '../errors.js';
import { at } from '../graph/tensor.js';
import type { PlanRow } from './build.js';

/** An op of a profiled run, by timestamp queries around each of its dispatches. */
export interface OpTime extends PlanRow {
  /** Milliseconds on the device, copies to textures included (they lie between the timestamps). */
  readonly ms: number;
  readonly gflops: number;
  /** Gigabytes (10⁹) a second of the bytes that the op must move at least. */
  readonly gbps: number;
}

/** WebGPU's limit of a query set; a pass takes two. */
const LARGEST_SET = 4096;

/** Timestamps of the passes of one run, in as many query sets as they need. */
export class Profiler {
  readonly #rows: number[] = [];

  private constructor(
    readonly device: Device,
    readonly sets: readonly GPUQuerySet[],
    readonly resolved: GPUBuffer,
  ) {}

  static supported(device: Device): boolean {
    return device.gpu.features.has('timestamp-query');
  }

  /** @param dispatches how many passes there will be at most */
  static async create(device: Device, dispatches: number): Promise<Profiler> {
    if (!Profiler.supported(device)) {
      throw new KernelError('profiling needs the feature timestamp-query, which this adapter lacks');
    }
    const queries = Math.max(1, dispatches) * 2;
    const resolved = await device.createBuffer(
      'timestamps',
      queries * 8,
      GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    );
    const sets = Array.from({ length: Math.ceil(queries / LARGEST_SET) }, (_, i) =>
      device.gpu.createQuerySet({
        type: 'timestamp',
        count: Math.min(LARGEST_SET, queries - i * LARGEST_SET),
      }),
    );
    return new Profiler(device, sets, resolved);
  }

  /** Timestamps for the next pass, which belongs to plan row `row`. */
  span(row: number): GPUComputePassTimestampWrites {
    const first = this.#rows.length * 2;
    this.#rows.push(row);
    const querySet = at(this.sets, Math.floor(first / LARGEST_SET));
    const begin = first % LARGEST_SET;
    return { querySet, beginningOfPassWriteIndex: begin, endOfPassWriteIndex: begin + 1 };
  }

  resolve(encoder: GPUCommandEncoder): void {
    const written = this.#rows.length * 2;
    for (const [i, set] of this.sets.entries()) {
      const first = i * LARGEST_SET;
      const count = Math.min(set.count, written - first);
      if (count > 0) encoder.resolveQuerySet(set, 0, count, this.resolved, first * 8);
    }
  }

  async times(rows: readonly PlanRow[]): Promise<OpTime[]> {
    const stamps = new BigUint64Array(await this.device.read(this.resolved, 0, this.#rows.length * 16));
    const nanoseconds = new Array<number>(rows.length).fill(0);
    let previousEnd = stamps[0] ?? 0n;
    for (const [i, row] of this.#rows.entries()) {
      const end = stamps[2 * i + 1] ?? previousEnd;
      nanoseconds[row] = (nanoseconds[row] ?? 0) + Math.max(0, Number(end - previousEnd));
      previousEnd = end;
    }
    for (const set of this.sets) set.destroy();
    this.resolved.destroy();
    return rows.map((row, i) => timed(row, (nanoseconds[i] ?? 0) / 1e6));
  }
}

/** Op by op the median of several profiled runs of one program. */
export function medianTimes(runs: readonly (readonly OpTime[])[]): OpTime[] {
  return (runs[0] ?? []).map((row, i) => timed(row, median(runs.flatMap((run) => run[i]?.ms ?? []))));
}

function timed(row: PlanRow, ms: number): OpTime {
  const perMs = ms > 0 ? 1 / ms / 1e6 : 0;
  return { ...row, ms, gflops: row.flops * perMs, gbps: row.bytes * perMs };
}
