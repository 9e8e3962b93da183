import type { Device } from '../device.js';
import { ShapeError } from '../errors.js';
import { byteLength, describe, type Graph, type Tensor } from '../graph/tensor.js';
import type { Plan, PlannedBytes, Recomputation } from '../plan/plan.js';
import type { Built, PlanRow } from './build.js';
import { recordCommands, recordCopy, recordDispatch } from './commands.js';
import { type ExamineOptions, examine, type Unsound } from './examine.js';
import { type OpTime, Profiler } from './profile.js';

/** Values for the graph's inputs, by name. */
export type Feeds = Readonly<Record<string, Float32Array | Uint32Array>>;

/** Milliseconds that a run took of the host's time; the device computes meanwhile and afterwards. */
export interface HostCost {
  /** Handing over the inputs: grows with them. */
  readonly uploadMs: number;
  /** Recording the commands. */
  readonly recordMs: number;
  readonly submitMs: number;
}

/**
 * A compiled graph: one `run` is one command buffer and one submit, with nothing allocated and nothing read back.
 * Programs of one device run in the order of their `run` calls.
 */
export class Program {
  /** Bytes on the device, known before the first run. */
  readonly bytes: PlannedBytes;
  /** What is computed twice to fit the memory that was allowed; undefined where nothing has to be. */
  readonly recomputation: Recomputation | undefined;
  /** What runs, in order, with its cost. */
  readonly rows: readonly PlanRow[];
  /** The kernel variant of each problem that could have had another: given back to `compile`, it does the same. */
  readonly kernels: ReadonlyMap<string, string>;
  readonly #device: Device;
  readonly #graph: Graph;
  readonly #plan: Plan;
  readonly #built: Built;
  readonly #history: History | undefined;

  private constructor(device: Device, { graph, plan, built }: ProgramParts, history: History | undefined) {
    this.#device = device;
    this.#graph = graph;
    this.#plan = plan;
    this.#built = built;
    this.#history = history;
    this.bytes = plan.bytes;
    this.recomputation = plan.recomputation;
    this.rows = built.rows;
    this.kernels = built.kernels;
  }

  /** Bytes of all intermediates, textures included. */
  get peakBytes(): number {
    return this.bytes.intermediates + this.bytes.textures;
  }

  /** Bytes of everything that belongs to the program: all but the arenas. */
  get ownBytes(): number {
    return this.bytes.total - this.bytes.arenas;
  }

  /** @param records scalars to keep run by run, up to `capacity` runs */
  static async create(
    device: Device,
    parts: ProgramParts,
    { records, capacity }: { records: readonly Tensor[]; capacity: number },
  ): Promise<Program> {
    if (records.length === 0) return new Program(device, parts, undefined);
    const buffer = await device.createBuffer('recorded scalars', records.length * capacity * 4);
    return new Program(device, parts, { buffer, records, capacity, runs: 0 });
  }

  /**
   * Writes the inputs and submits the whole program. Returns at once; errors surface at the next `read`, `history` or
   * `Device.idle`. Inputs that are not fed keep what they held.
   */
  run(feeds: Feeds = {}): HostCost {
    const start = performance.now();
    this.#feed(feeds);
    const fed = performance.now();
    const encoder = this.#device.gpu.createCommandEncoder();
    recordCommands(encoder, this.#built.commands);
    this.#record(encoder);
    const commands = encoder.finish();
    const recorded = performance.now();
    this.#device.gpu.queue.submit([commands]);
    return { uploadMs: fed - start, recordMs: recorded - fed, submitMs: performance.now() - recorded };
  }

  /** Like `run`, one pass a kernel with timestamps; resolves to the time of each row of `rows`. */
  async profile(feeds: Feeds = {}): Promise<OpTime[]> {
    this.#feed(feeds);
    const { commands } = this.#built;
    const profiler = await Profiler.create(this.#device, commands.length);
    const encoder = this.#device.gpu.createCommandEncoder();
    for (const { command, row } of commands) {
      if (command.kind === 'dispatch') {
        const pass = encoder.beginComputePass({ timestampWrites: profiler.span(row) });
        recordDispatch(pass, command);
        pass.end();
      } else {
        recordCopy(encoder, command);
      }
    }
    this.#record(encoder);
    profiler.resolve(encoder);
    this.#device.gpu.queue.submit([encoder.finish()]);
    return profiler.times(this.rows);
  }

  /** Like `run`, but nothing is recorded; resolves to the first tensor that is not finite, see examine.ts. */
  async examine(feeds: Feeds = {}, options?: ExamineOptions): Promise<Unsound | null> {
    this.#feed(feeds);
    return examine(this.#device, { plan: this.#plan, built: this.#built }, options);
  }

  /** The value of one of `CompileOptions.outputs` (or of a variable) after the last run. */
  async read(tensor: Tensor): Promise<Float32Array> {
    const { buffer, offset } = this.#built.locate(tensor);
    return new Float32Array(await this.#device.read(buffer, offset, byteLength(tensor)));
  }

  /** The recorded scalars of every run since the last call: one row a run, in the order of `records`. */
  async history(): Promise<number[][]> {
    const history = this.#history;
    if (!history || history.runs === 0) return [];
    const { runs, buffer, records } = history;
    history.runs = 0;
    const values = new Float32Array(await this.#device.read(buffer, 0, runs * records.length * 4));
    return Array.from({ length: runs }, (_, i) => [
      ...values.subarray(i * records.length, (i + 1) * records.length),
    ]);
  }

  /** Runs since the last `history()`; the caller reads before this reaches the capacity. */
  get recordedRuns(): number {
    return this.#history?.runs ?? 0;
  }

  /** Frees everything the program allocated; arenas are their owner's. */
  destroy(): void {
    for (const resource of this.#built.owned) resource.destroy();
    this.#history?.buffer.destroy();
  }

  #feed(feeds: Feeds): void {
    this.#device.assertUsable();
    for (const [name, values] of Object.entries(feeds)) {
      const tensor = this.#graph.inputs.get(name);
      if (!tensor) {
        const known = [...this.#graph.inputs.keys()].join(', ');
        throw new ShapeError(`the program has no input "${name}": it has ${known}`);
      }
      const expected = tensor.dtype === 'f32' ? Float32Array : Uint32Array;
      if (!(values instanceof expected) || values.byteLength !== byteLength(tensor)) {
        throw new ShapeError(
          `input "${name}" is ${describe(tensor)}, got ${values.length} values of ${values.constructor.name}`,
        );
      }
      const { buffer, offset } = this.#built.locate(tensor);
      this.#device.write(buffer, offset, values);
    }
  }

  #record(encoder: GPUCommandEncoder): void {
    const history = this.#history;
    if (!history) return;
    const { buffer, records, capacity } = history;
    if (history.runs >= capacity) {
      throw new RangeError(`the history holds ${capacity} runs: read it with history() before running on`);
    }
    const row = history.runs++ * records.length;
    for (const [i, tensor] of records.entries()) {
      const source = this.#built.locate(tensor);
      encoder.copyBufferToBuffer(source.buffer, source.offset, buffer, (row + i) * 4, 4);
    }
  }
}

interface ProgramParts {
  readonly graph: Graph;
  readonly plan: Plan;
  readonly built: Built;
}

interface History {
  readonly buffer: GPUBuffer;
  readonly records: readonly Tensor[];
  readonly capacity: number;
  runs: number;
}
