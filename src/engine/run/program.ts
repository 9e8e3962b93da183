import type { Device } from '../device.js';
import { ShapeError } from '../errors.js';
import { at, byteLength, describe, elementCount, type Graph, type Tensor } from '../graph/tensor.js';
import type { Plan, PlannedBytes, Recomputation } from '../plan/plan.js';
import type { Built, PlanRow } from './build.js';
import { recordCommands, recordCopy, recordDispatch } from './commands.js';
import { type ExamineOptions, examine, type Unsound } from './examine.js';
import { History } from './history.js';
import { type OpTime, Profiler } from './profile.js';
import { type Expectation, SubmitPieces } from './submit-pieces.js';

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

/** The commands of one run, recorded before its turn. Runs of a program are submitted once each, in the order of recording. */
export interface RecordedRun {
  /** Writes the inputs and submits. Returns at once, see `Program.run`. */
  submit(feeds?: Feeds): HostCost;
}

/**
 * A compiled graph: one `run` is one submit (several where it would take long), with nothing allocated and nothing waited
 * for.
 * Programs of one device run in the order of their submits.
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
  readonly #pieces: SubmitPieces;
  /** When the last timed run was done. */
  #done = 0;

  private constructor(
    device: Device,
    { graph, plan, built, expectation }: ProgramParts,
    history: History | undefined,
  ) {
    this.#device = device;
    this.#graph = graph;
    this.#plan = plan;
    this.#built = built;
    this.#history = history;
    this.#pieces = new SubmitPieces(
      built,
      expectation ?? (device.traits.kind === 'gpu' ? 'measured' : 'none'),
    );
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
    const sources = records.map((tensor) => parts.built.locate(tensor));
    return new Program(device, parts, await History.create(device, { sources, capacity }));
  }

  /**
   * Writes the inputs and submits the whole program. Returns at once; errors surface at the next `read`, `history` or
   * `Device.idle`. Inputs that are not fed keep what they held.
   */
  run(feeds: Feeds = {}): HostCost {
    this.#check(feeds);
    return this.record().submit(feeds);
  }

  /** Records a run, which may be done while the device computes the runs before it: its inputs come with the submit. */
  record(): RecordedRun {
    const start = performance.now();
    this.#device.assertUsable();
    const { queue } = this.#device.gpu;
    const encoders = this.#pieces.pieces.map((commands) => {
      const encoder = this.#device.gpu.createCommandEncoder();
      recordCommands(encoder, commands);
      return encoder;
    });
    const submitted = this.#history?.record(at(encoders, -1));
    const pieces = encoders.map((encoder) => encoder.finish());
    const recordMs = performance.now() - start;
    return {
      submit: (feeds = {}) => {
        const begun = performance.now();
        this.#feed(feeds);
        const fed = performance.now();
        for (const commands of pieces) queue.submit([commands]);
        submitted?.();
        if (this.#pieces.wantsTime) void this.#time(fed);
        return { uploadMs: fed - begun, recordMs, submitMs: performance.now() - fed };
      },
    };
  }

  /** Tells the pieces how long a run takes that was just submitted. */
  async #time(submitted: number): Promise<void> {
    try {
      await this.#device.idle();
    } catch {
      // whoever waits for the run hears of it
      return;
    }
    const now = performance.now();
    this.#pieces.took(now - Math.max(submitted, this.#done));
    this.#done = now;
  }

  /** Like `run`, one pass a kernel with timestamps; resolves to the time of each row of `rows`. */
  async profile(feeds: Feeds = {}): Promise<OpTime[]> {
    this.#feed(feeds);
    const profiler = await Profiler.create(this.#device, this.#built.commands.length);
    const encoders = this.#pieces.pieces.map((commands) => {
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
      return encoder;
    });
    const submitted = this.#history?.record(at(encoders, -1));
    profiler.resolve(at(encoders, -1));
    for (const encoder of encoders) this.#device.gpu.queue.submit([encoder.finish()]);
    submitted?.();
    return profiler.times(this.rows);
  }

  /** Like `run`, but nothing is recorded; resolves to the first tensor that is not finite, see examine.ts. */
  async examine(feeds: Feeds = {}, options?: ExamineOptions): Promise<Unsound | null> {
    this.#feed(feeds);
    return examine(this.#device, { plan: this.#plan, built: this.#built }, options);
  }

  /**
   * The value of one of `CompileOptions.outputs` (or of a variable) after the last run before the call. The program may
   * run on while the caller waits for it.
   */
  async read(tensor: Tensor): Promise<Float32Array> {
    const pieces = this.#built
      .pieces(tensor)
      .map(({ buffer, offset, bytes }) => this.#device.read(buffer, offset, bytes));
    const values = new Float32Array(elementCount(tensor.shape));
    let start = 0;
    for (const bytes of await Promise.all(pieces)) {
      values.set(new Float32Array(bytes), start);
      start += bytes.byteLength / 4;
    }
    return values;
  }

  /**
   * The recorded scalars of the runs since the last call: one row a run, in the order of `records`.
   * @param runs how many of them; default all. Runs after these are not waited for
   */
  async history(runs?: number): Promise<number[][]> {
    return (await this.#history?.take(runs)) ?? [];
  }

  /** Runs whose scalars `history()` has not given yet; the caller reads before this reaches the capacity. */
  get recordedRuns(): number {
    return this.#history?.untaken ?? 0;
  }

  /** Frees everything the program allocated; arenas are their owner's. */
  destroy(): void {
    for (const resource of this.#built.owned) resource.destroy();
    this.#history?.destroy();
  }

  #feed(feeds: Feeds): void {
    this.#device.assertUsable();
    for (const { tensor, values } of this.#check(feeds)) {
      const { buffer, offset } = this.#built.locate(tensor);
      this.#device.write(buffer, offset, values);
    }
  }

  /** @throws ShapeError naming the input that is unknown or does not fit */
  #check(feeds: Feeds): { tensor: Tensor; values: Float32Array | Uint32Array }[] {
    return Object.entries(feeds).map(([name, values]) => {
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
      return { tensor, values };
    });
  }
}

interface ProgramParts {
  readonly graph: Graph;
  readonly plan: Plan;
  readonly built: Built;
  readonly expectation?: Expectation | undefined;
}
