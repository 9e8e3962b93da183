import { type CompileOptions, compile, planProgram } from '../../engine/compile.js';
import type { Device, PlanTarget } from '../../engine/device.js';
import { MemoryBudgetError } from '../../engine/errors.js';
import { at, Graph } from '../../engine/graph/tensor.js';
import type { Plan, PlannedBytes, Recomputation } from '../../engine/plan/plan.js';
import { Random } from '../../engine/random.js';
import type { PlanRow } from '../../engine/run/build.js';
import type { Unsound } from '../../engine/run/examine.js';
import type { OpTime } from '../../engine/run/profile.js';
import type { Feeds, HostCost, Program } from '../../engine/run/program.js';
import type { BoundOptimizer } from '../../optimizers/define/optimizer.js';
import { optimizerOf } from '../../recipe/recipe-optimizer.js';
import { observedWeight, sharesOf } from './micro-batches.js';
import { emaDecay, scheduleFactor } from './schedule.js';
import { imageFeeds, type StepImages } from './step-images.js';
import type { StepProgramOptions } from './step-options.js';
import { traceBackward } from './trace-backward.js';
import { traceUpdate } from './trace-update.js';

/**
 * One training step: `backward` (trace-backward.ts) and `update` (trace-update.ts), which share nothing but the state's
 * arenas. Where nothing stands between them, they are traced into one graph: one submit, with the intermediates of both in
 * the same memory. Nothing is read back but the recorded scalars.
 *
 * In mixed precision (`precision: f16`) the same graphs are compiled over f16 storage (engine/graph/narrow.ts), the
 * gradient starts at a loss scale that is divided out again before anything looks at it, and the scale follows on the
 * device.
 */

/** Steps after which scalars are read at the latest. */
export const HISTORY = 256;
/** Steps whose scalars are kept until they are read: of some, they are asked for a few steps later. */
const CAPACITY = HISTORY + 16;

/** What is known of a step afterwards. */
export interface StepScalars {
  readonly loss: number;
  /** L2 norm of the whole gradient before clipping; not finite: the step changed nothing. */
  readonly gradientNorm: number;
  /** Of mixed precision: what the gradient started from. */
  readonly lossScale: number | undefined;
}

export type StepBatch = StepImages & {
  /** [accumulate · batchSize, classes]: 1, 0, between the two where images are mixed; NaN = unknown. */
  readonly targets: Float32Array;
};

/** The commands of one step, recorded before its turn. Steps are submitted in the order in which they were recorded. */
export interface RecordedStep {
  submit(batch: StepBatch, step: number): HostCost;
}

export class StepProgram {
  /** In the order in which they run: one, or `backward` and `update`. */
  readonly #programs: readonly Program[];
  readonly #options: StepProgramOptions;
  readonly #optimizer: BoundOptimizer;
  #rate = (scheduled: number, _step: number) => scheduled;

  private constructor(programs: readonly Program[], options: StepProgramOptions) {
    this.#programs = programs;
    this.#options = options;
    this.#optimizer = optimizerOf(options.recipe.optimizer);
  }

  /**
   * Traces, differentiates and compiles the step.
   * @throws KernelError, OutOfMemoryError, ShapeError; MemoryBudgetError where it does not fit `memory`
   */
  static async create(device: Device, options: StepProgramOptions): Promise<StepProgram> {
    const { first, second } = traceStep(device, options);
    const update = second && (await compile(device, second));
    const beside = update?.ownBytes ?? 0;
    try {
      const program = await compile(device, leaving(beside, first));
      return new StepProgram(update ? [program, update] : [program], options);
    } catch (error) {
      update?.destroy();
      throw counting(beside, error);
    }
  }

  /** What that which `create` would make by the rule takes on the device; allocates nothing. @throws the same */
  static plan(target: PlanTarget, options: StepProgramOptions): PlannedBytes {
    return StepProgram.plans(target, options)
      .map(({ bytes }) => bytes)
      .reduce(together);
  }

  /** The plans themselves, in the order in which they run: one, or those of `backward` and `update`. @throws the same */
  static plans(target: PlanTarget, options: StepProgramOptions): readonly Plan[] {
    const { first, second } = traceStep(target, options);
    const update = second && planProgram(target, second);
    const beside = update ? update.bytes.total - update.bytes.arenas : 0;
    try {
      const backward = planProgram(target, leaving(beside, first));
      return update ? [backward, update] : [backward];
    } catch (error) {
      throw counting(beside, error);
    }
  }

  /** Bytes of all that the step has on the device beside the state. */
  get bytes(): number {
    return this.#programs.reduce((sum, { ownBytes }) => sum + ownBytes, 0);
  }

  /** What is computed twice to fit the memory that was allowed. */
  get recomputation(): Recomputation | undefined {
    return at(this.#programs, 0).recomputation;
  }

  /** What the step takes on the device, by part; the state included. */
  get planned(): PlannedBytes {
    return this.#programs.map(({ bytes }) => bytes).reduce(together);
  }

  /** The plan, an op a row. */
  get rows(): readonly PlanRow[] {
    return this.#programs.flatMap(({ rows }) => rows);
  }

  /** See `Program.kernels`. */
  get kernels(): ReadonlyMap<string, string> {
    return new Map(this.#programs.flatMap(({ kernels }) => [...kernels]));
  }

  /** Submits step number `step` of the run (from 0) and returns at once. */
  run(batch: StepBatch, step: number): HostCost {
    return this.record().submit(batch, step);
  }

  /** Records the commands of the next step, which may be done while the device computes the steps before it. */
  record(): RecordedStep {
    const runs = this.#order.map((program) => program.record());
    return {
      submit: (batch, step) => {
        const cost = { uploadMs: 0, recordMs: 0, submitMs: 0 };
        let next = 0;
        for (const { feeds } of this.#runs(batch, step)) {
          const { uploadMs, recordMs, submitMs } = at(runs, next++).submit(feeds);
          cost.uploadMs += uploadMs;
          cost.recordMs += recordMs;
          cost.submitMs += submitMs;
        }
        return cost;
      },
    };
  }

  /** The same step, timed op by op: the same results, slower. Of several batches, the first is told of. */
  async profile(batch: StepBatch, step: number): Promise<OpTime[]> {
    const times = new Map<Program, OpTime[]>();
    for (const { program, feeds } of this.#runs(batch, step)) {
      const own = await program.profile(feeds);
      if (!times.has(program)) times.set(program, own);
    }
    return [...times.values()].flat();
  }

  /** The same step, watched op by op: the first tensor that is not finite; null where all are. */
  async examine(batch: StepBatch, step: number): Promise<Unsound | null> {
    for (const { program, feeds } of this.#runs(batch, step)) {
      const found = await program.examine(feeds, { unknowns: ['targets'] });
      if (found) return found;
    }
    return null;
  }

  /**
   * Scalars of the steps since the last call, in their order (at most `CAPACITY`).
   * @param steps how many of them; default all. Steps after these are not waited for
   */
  async scalars(steps?: number): Promise<StepScalars[]> {
    const { accumulate } = this.#options.recipe;
    const histories: number[][][] = [];
    for (const [i, program] of this.#programs.entries()) {
      histories.push(await program.history(steps && steps * (i === 0 ? accumulate : 1)));
    }
    return (histories.at(-1) ?? []).map((last, step) => {
      const losses = (histories[0] ?? []).slice(step * accumulate, (step + 1) * accumulate);
      const loss = losses.reduce((sum, [value = Number.NaN]) => sum + value, 0);
      // one program has all three in a row
      const [gradientNorm = Number.NaN, lossScale] = histories.length > 1 ? last : last.slice(1);
      return { loss, gradientNorm, lossScale };
    });
  }

  /** The learning rate of a step of the run, before the groups' factors. */
  learningRate(step: number): number {
    const { recipe, schedule, firstStep = 0 } = this.#options;
    return this.#rate(recipe.optimizer.lr * scheduleFactor(schedule, step - firstStep), step);
  }

  /** From now on the learning rate of a step of the run is what `rate` makes of the schedule's. */
  changeRate(rate: (scheduled: number, step: number) => number): void {
    this.#rate = rate;
  }

  destroy(): void {
    for (const program of this.#programs) program.destroy();
  }

  /** What the loss is told of where the training stands. */
  #scheduled(step: number): readonly number[] {
    const { loss, schedule, stepsPerEpoch, firstStep = 0 } = this.#options;
    const done = step - firstStep;
    return loss.schedule({
      epoch: Math.floor(done / stepsPerEpoch),
      progress: done / schedule.totalSteps,
    });
  }

  /** What a step runs: `backward` for each of its batches, then `update`, which may be one with the first. */
  get #order(): Program[] {
    const [backward, update] = [at(this.#programs, 0), at(this.#programs, -1)];
    const batches = new Array<Program>(this.#options.recipe.accumulate).fill(backward);
    return backward === update ? batches : [...batches, update];
  }

  /** The same with what each is fed. */
  *#runs(batch: StepBatch, step: number): Generator<{ program: Program; feeds: Feeds }> {
    const { accumulate } = this.#options.recipe;
    const shares = accumulate > 1 ? this.#shares(batch.targets) : [];
    const order = this.#order;
    for (const [k, program] of order.entries()) {
      const feeds = {
        ...(k < accumulate && {
          ...this.#backwardFeeds(batch, step, k),
          ...this.#additionFeeds(shares[k], k),
        }),
        ...(k === order.length - 1 && this.#updateFeeds(step)),
      };
      yield { program, feeds };
    }
  }

  #shares(targets: Float32Array): number[] {
    const { recipe, loss } = this.#options;
    return sharesOf(targets, recipe.accumulate, { kind: loss.kind, reduction: recipe.loss.reduction });
  }

  /** Where batches are added up. @param share of batch number `k`; none where a step is one batch */
  #additionFeeds(share: number | undefined, k: number): Feeds {
    if (share === undefined) return {};
    const observes = this.#options.state.groups.followed.length > 0;
    return {
      share: Float32Array.of(share),
      ...(observes && { observedWeight: Float32Array.of(observedWeight(k)) }),
    };
  }

  #backwardFeeds(batch: StepBatch, step: number, k: number): Feeds {
    const { recipe, definition, images, batchSize } = this.#options;
    const scheduled = this.#scheduled(step);
    const labels = batchSize * definition.config.classes;
    return {
      ...imageFeeds(images, batch, { batchSize, k }),
      targets: batch.targets.subarray(k * labels, (k + 1) * labels),
      ...(scheduled.length > 0 && { scheduled: Float32Array.from(scheduled) }),
      ...(definition.usesDropout && { dropoutSeed: dropoutSeed(recipe.seed, step, k) }),
    };
  }

  #updateFeeds(step: number): Feeds {
    const { recipe, state, firstStep = 0 } = this.#options;
    const update = step - firstStep;
    const averageDecay = recipe.ema === false ? 1 : emaDecay(recipe.ema, update);
    const averages = recipe.ema !== false && state.groups.followed.length > 0;
    return {
      hyper: this.#optimizer.hyper({
        learningRate: this.learningRate(step),
        step: update + 1,
        averageDecay,
      }),
      ...(averages && { averageWeight: Float32Array.of(1 - averageDecay) }),
    };
  }
}

/** The program of a step, or its `backward` and, as `second`, its `update`. */
function traceStep(
  { traits }: PlanTarget,
  options: StepProgramOptions,
): { first: CompileOptions; second?: CompileOptions } {
  const { state, recipe, schedule, tuning, memory, submits = 1 } = options;
  const common = {
    arenas: state.arenas,
    ...(recipe.precision === 'f16' && { halves: { copies: { params: 'halfParams' } } }),
    tuning,
    runs: schedule.totalSteps,
  };
  const [graph, later] = [new Graph(), new Graph()];
  const backward = traceBackward(graph, options);
  const joined = submits === 1 && recipe.accumulate === 1;
  const { norm, scale } = joined
    ? traceUpdate(graph, options, traits, backward.scale)
    : traceUpdate(later, options, traits);
  const records = [norm, ...(scale ? [scale] : [])];
  const recordCapacity = CAPACITY;
  if (joined) {
    return { first: { ...common, memory, graph, recordCapacity, records: [backward.loss, ...records] } };
  }
  const ofBatches = { recordCapacity: CAPACITY * recipe.accumulate, records: [backward.loss] };
  return {
    first: { ...common, memory, graph, ...ofBatches },
    second: { ...common, graph: later, recordCapacity, records },
  };
}

/** The same where so many of the bytes allowed are wanted beside it. */
function leaving(bytes: number, options: CompileOptions): CompileOptions {
  const { memory } = options;
  return memory === undefined ? options : { ...options, memory: memory - bytes };
}

/** An error that tells how many bytes would do, with those that are wanted beside. */
function counting(bytes: number, error: unknown): unknown {
  if (!(error instanceof MemoryBudgetError) || bytes === 0) return error;
  return new MemoryBudgetError(error.message, error.leastBytes + bytes);
}

/** What two programs over the same arenas take. */
function together(a: PlannedBytes, b: PlannedBytes): PlannedBytes {
  const parts = {
    arenas: a.arenas,
    leaves: a.leaves + b.leaves,
    intermediates: a.intermediates + b.intermediates,
    textures: a.textures + b.textures,
  };
  return { ...parts, total: a.total + b.total - b.arenas };
}

/** The two words that the dropout masks of a step's batch number `k` are drawn from. */
function dropoutSeed(seed: number, step: number, k: number): Uint32Array {
  const random = new Random(seed, 'dropout', step, ...(k > 0 ? [k] : []));
  return Uint32Array.of(random.uint32(), random.uint32());
}
