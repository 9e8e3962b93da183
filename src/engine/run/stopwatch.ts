import type { Device } from '../device.js';

/**
 * Times work on the device, for the roofline and the tuner.
 *
 * Timestamp queries where the adapter has them: on lavapipe and SwiftShader they agree with wall time to 5 % on work of
 * 10 ms, and hold neither the submit nor the wait, which together take 0.3 ms (the throttled wait's naps) however short
 * the work is. Else wall time, which is fair only for work of some milliseconds: callers repeat theirs until it is that
 * long. An adapter whose stamps do not advance is taken as one without.
 */
export type Clock = 'timestamps' | 'wall';

export class Stopwatch {
  #stamps: { queries: GPUQuerySet; resolved: GPUBuffer } | undefined;

  private constructor(
    readonly device: Device,
    stamps: { queries: GPUQuerySet; resolved: GPUBuffer } | undefined,
  ) {
    this.#stamps = stamps;
  }

  /** @param clock `wall` to leave timestamps aside */
  static async create(device: Device, clock: Clock = 'timestamps'): Promise<Stopwatch> {
    if (clock === 'wall' || !device.gpu.features.has('timestamp-query')) {
      return new Stopwatch(device, undefined);
    }
    const usage = GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC;
    const resolved = await device.createBuffer('timestamps of a stopwatch', 16, usage);
    const queries = device.gpu.createQuerySet({ type: 'timestamp', count: 2 });
    return new Stopwatch(device, { queries, resolved });
  }

  get clock(): Clock {
    return this.#stamps ? 'timestamps' : 'wall';
  }

  /** Submits what `record` records, waits for it and returns its milliseconds. */
  async time(record: (encoder: GPUCommandEncoder) => void): Promise<number> {
    const stamps = this.#stamps;
    const encoder = this.device.gpu.createCommandEncoder();
    if (stamps) stamp(encoder, { querySet: stamps.queries, beginningOfPassWriteIndex: 0 });
    record(encoder);
    if (stamps) {
      stamp(encoder, { querySet: stamps.queries, endOfPassWriteIndex: 1 });
      encoder.resolveQuerySet(stamps.queries, 0, 2, stamps.resolved, 0);
    }
    const commands = encoder.finish();
    const start = performance.now();
    this.device.gpu.queue.submit([commands]);
    await this.device.idle();
    const wall = performance.now() - start;
    if (!stamps) return wall;
    const [from = 0n, to = 0n] = new BigUint64Array(await this.device.read(stamps.resolved, 0, 16));
    if (to > from) return Number(to - from) / 1e6;
    this.destroy();
    return wall;
  }

  destroy(): void {
    this.#stamps?.queries.destroy();
    this.#stamps?.resolved.destroy();
    this.#stamps = undefined;
  }
}

/** A pass of nothing but a timestamp, so that copies before the first dispatch and after the last are counted too. */
function stamp(encoder: GPUCommandEncoder, timestampWrites: GPUComputePassTimestampWrites): void {
  encoder.beginComputePass({ timestampWrites }).end();
}
