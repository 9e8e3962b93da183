import { median } from '../choose/median.js';
import type { Device } from '../device.js';
import { KernelError } from '../errors.js';
import type { PlanRow } from './build.js';

/** An op of a profiled run, by timestamp queries around each of its dispatches. */
export interface OpTime extends PlanRow {
  /** Milliseconds on the device, copies to textures included (they lie between the timestamps). */
  readonly ms: number;
  readonly gflops: number;
  /** Gigabytes (10⁹) a second of the bytes that the op must move at least. */
  readonly gbps: number;
}

export class Profiler {
  readonly #rows: number[] = [];

  private constructor(
    readonly device: Device,
    readonly queries: GPUQuerySet,
    readonly resolved: GPUBuffer,
  ) {}

  static supported(device: Device): boolean {
    return device.gpu.features.has('timestamp-query');
  }

  static async create(device: Device, dispatches: number): Promise<Profiler> {
    if (!Profiler.supported(device)) {
      throw new KernelError('profiling needs the feature timestamp-query, which this adapter lacks');
    }
    const count = Math.max(1, dispatches) * 2;
    if (count > 4096)
      throw new KernelError(`a profile holds at most 2048 dispatches, the program has ${dispatches}`);
    const queries = device.gpu.createQuerySet({ type: 'timestamp', count });
    const resolved = await device.createBuffer(
      'timestamps',
      count * 8,
      GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    );
    return new Profiler(device, queries, resolved);
  }

  /** Timestamps for the next pass, which belongs to plan row `row`. */
  span(row: number): GPUComputePassTimestampWrites {
    const first = this.#rows.length * 2;
    this.#rows.push(row);
    return { querySet: this.queries, beginningOfPassWriteIndex: first, endOfPassWriteIndex: first + 1 };
  }

  resolve(encoder: GPUCommandEncoder): void {
    encoder.resolveQuerySet(this.queries, 0, this.#rows.length * 2, this.resolved, 0);
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
    this.queries.destroy();
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
