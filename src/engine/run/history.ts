import type { Device } from '../device.js';

/**
 * Scalars of each run, read without waiting for the runs after it. A run copies its scalars into a row of a ring on the
 * device; where one of a few read-backs is free, the same commands also copy all rows that are still there to the host.
 * Rows that found none free leave the device with a later run, or when they are asked for.
 */
export interface HistoryOptions {
  /** Where the scalars lie after a run: an f32 each. */
  readonly sources: readonly { readonly buffer: GPUBuffer; readonly offset: number }[];
  /** How many runs may be recorded before somebody takes theirs. */
  readonly capacity: number;
}

/** Read-backs at once: enough for the steps that a training has in flight. */
const AT_ONCE = 4;

export class History {
  readonly #device: Device;
  readonly #ring: GPUBuffer;
  readonly #options: HistoryOptions;
  /** Runs whose commands were recorded, were submitted, copy their scalars to the host, and whose scalars were taken. */
  #recorded = 0;
  #submitted = 0;
  #sent = 0;
  #taken = 0;
  /** On their way to the host, in order. */
  readonly #coming: Promise<number[][]>[] = [];
  readonly #arrived: number[][] = [];
  #atOnce = 0;

  private constructor(device: Device, ring: GPUBuffer, options: HistoryOptions) {
    this.#device = device;
    this.#ring = ring;
    this.#options = options;
  }

  static async create(device: Device, options: HistoryOptions): Promise<History> {
    const bytes = options.sources.length * options.capacity * 4;
    return new History(device, await device.createBuffer('recorded scalars', bytes), options);
  }

  /** Runs since the last whose scalars were taken. */
  get untaken(): number {
    return this.#recorded - this.#taken;
  }

  /**
   * To be called at the end of a run's commands. @returns to be called when they are submitted
   * @throws RangeError where nobody has taken the scalars of as many runs as there is room for
   */
  record(encoder: GPUCommandEncoder): () => void {
    const { sources, capacity } = this.#options;
    if (this.untaken >= capacity) {
      throw new RangeError(`the history holds ${capacity} runs: read it with history() before running on`);
    }
    const row = this.#recorded++ % capacity;
    for (const [i, { buffer, offset }] of sources.entries()) {
      encoder.copyBufferToBuffer(buffer, offset, this.#ring, (row * sources.length + i) * 4, 4);
    }
    const send = this.#atOnce < AT_ONCE ? this.#copyOut(encoder) : undefined;
    return () => {
      this.#submitted++;
      send?.();
    };
  }

  /**
   * Scalars of the first of the untaken runs, in their order; waits for these runs alone.
   * @param runs default: all that were submitted
   */
  async take(runs = this.#submitted - this.#taken): Promise<number[][]> {
    if (this.#taken + runs > this.#sent) {
      if (this.#recorded > this.#submitted) throw new RangeError('a run was recorded and never submitted');
      const encoder = this.#device.gpu.createCommandEncoder();
      const send = this.#copyOut(encoder);
      this.#device.gpu.queue.submit([encoder.finish()]);
      send();
    }
    this.#taken += runs;
    while (this.#arrived.length < runs) this.#arrived.push(...((await this.#coming.shift()) ?? []));
    return this.#arrived.splice(0, runs);
  }

  destroy(): void {
    this.#ring.destroy();
  }

  /** Copies all rows that are still on the device. @returns to be called when the commands are submitted */
  #copyOut(encoder: GPUCommandEncoder): () => void {
    const { sources, capacity } = this.#options;
    const [width, runs] = [sources.length, this.#recorded - this.#sent];
    const back = this.#device.readBack('recorded scalars', runs * width * 4);
    // the ring may end among them
    for (let done = 0; done < runs; ) {
      const row = (this.#sent + done) % capacity;
      const rows = Math.min(runs - done, capacity - row);
      encoder.copyBufferToBuffer(
        this.#ring,
        row * width * 4,
        back.buffer,
        done * width * 4,
        rows * width * 4,
      );
      done += rows;
    }
    this.#sent = this.#recorded;
    this.#atOnce++;
    return () => {
      const coming = back.values().then((bytes) => {
        this.#atOnce--;
        const values = [...new Float32Array(bytes)];
        return Array.from({ length: runs }, (_, i) => values.slice(i * width, (i + 1) * width));
      });
      // awaited when it is asked for; until then a failure must not count as unhandled
      coming.catch(() => undefined);
      this.#coming.push(coming);
    };
  }
}
