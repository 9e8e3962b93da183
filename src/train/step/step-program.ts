import { ArenaLayout } from '../../engine/arena.js';
import type { Tuning } from '../../engine/choose/tune.js';
import { type CompileOptions, compile, planProgram } from '../../engine/compile.js';
import type { Device } from '../../engine/device.js';
import { type DType, Graph, type Tensor } from '../../engine/graph/tensor.js';
import type { Plan, PlannedBytes, Recomputation } from '../../engine/plan/plan.js';
import { Random } from '../../engine/random.js';
import type { PlanRow } from '../../engine/run/build.js';
import type { OpTime } from '../../engine/run/profile.js';
import type { HostCost, Program } from '../../engine/run/program.js';
import { store } from '../../engine/store.js';
import { grad } from '../../kernels/common/grad.js';
import { LOSS_SCALE_STATE, lossScale, updateLossScale } from '../../kernels/loss/loss-scale.js';
import { buildDecayTable } from '../../kernels/optimizer/decay-table.js';
import { lerpInto } from '../../kernels/optimizer/follow.js';
import { clipFactor, gradientNorm } from '../../kernels/optimizer/gradient-norm.js';
import { halveInto } from '../../kernels/optimizer/halve.js';
import {
  ADAMW_HYPER,
  adamW,
  adamWHyper,
  SGD_HYPER,
  sgd,
  sgdHyper,
} from '../../kernels/optimizer/optimizer.js';
import { div } from '../../kernels/pointwise/pointwise-table.js';
import { reshape } from '../../kernels/shape/reshape.js';
import type { ClassStatistics } from '../../losses/define/class-statistics.js';
import type { BoundLoss } from '../../losses/define/loss.js';
import { BEGINNING } from '../../losses/define/reference-loss.js';
import { traceBoundLoss } from '../../losses/define/trace-loss.js';
import type { ModelDefinition } from '../../models/model.js';
import type { Recipe } from '../../recipe/recipe-schema.js';
import { emaDecay, type Schedule, scheduleFactor } from './schedule.js';
import type { TrainingStatePlan } from './training-state-plan.js';

/**
 * One training step as one graph: forward, loss, backward, gradient norm, clipping, optimizer, the moving average and
 * batch norm's running statistics. A run of it is one submit, and nothing is read back but the recorded scalars.
 *
 * In mixed precision (`precision: f16`) the same graph is compiled over f16 storage (engine/narrow.ts), the gradient
 * starts at a loss scale that is divided out again before anything looks at it, and the scale follows on the device.
 */

/** Weight of a batch in batch norm's running statistics, as PyTorch's `momentum`. */
const STATISTICS_MOMENTUM = 0.1;

/** Steps whose scalars are kept on the device until they are read. */
export const HISTORY = 256;

export interface StepProgramOptions {
  readonly definition: ModelDefinition;
  /** To run the step, one that has memory: a `TrainingState`. */
  readonly state: TrainingStatePlan;
  readonly recipe: Pick<Recipe, 'loss' | 'optimizer' | 'ema' | 'seed' | 'precision'>;
  /** The recipe's, with its parameters. */
  readonly loss: BoundLoss;
  /** Of the training labels, for losses that weigh classes by them. */
  readonly statistics: Omit<ClassStatistics, 'classes'>;
  readonly schedule: Schedule;
  /** For losses that change after some epochs. */
  readonly stepsPerEpoch: number;
  /** The run's step at which schedule, optimizer and average begin; 0 when absent. */
  readonly firstStep?: number | undefined;
  readonly batchSize: number;
  /** [height, width, channels] */
  readonly imageShape: readonly [number, number, number];
  readonly tuning?: Tuning | undefined;
  /** Bytes that the state and the step may take on the device; see CompileOptions.memory. */
  readonly memory?: number | undefined;
}

/** What is known of a step afterwards. */
export interface StepScalars {
  readonly loss: number;
  /** L2 norm of the whole gradient before clipping; not finite: the step changed nothing. */
  readonly gradientNorm: number;
  /** Of mixed precision: what the gradient started from. */
  readonly lossScale: number | undefined;
}

export interface StepBatch {
  /** [batchSize, height, width, channels], normalised. */
  readonly images: Float32Array;
  /** [batchSize, classes]: 1, 0, NaN = unknown. */
  readonly targets: Float32Array;
}

export class StepProgram {
  readonly #program: Program;
  readonly #options: StepProgramOptions;

  private constructor(program: Program, options: StepProgramOptions) {
    this.#program = program;
    this.#options = options;
  }

  /**
   * Traces, differentiates and compiles the step.
   * @throws KernelError, OutOfMemoryError, ShapeError; MemoryBudgetError where it does not fit `memory`
   */
  static async create(device: Device, options: StepProgramOptions): Promise<StepProgram> {
    return new StepProgram(await compile(device, traceProgram(device, options)), options);
  }

  /** What `create` would make by the rule, without allocating anything. @throws the same */
  static plan(device: Device, options: StepProgramOptions): Plan {
    return planProgram(device, traceProgram(device, options));
  }

  /** Bytes of all that the step has on the device beside the state. */
  get bytes(): number {
    return this.#program.ownBytes;
  }

  /** What is computed twice to fit the memory that was allowed. */
  get recomputation(): Recomputation | undefined {
    return this.#program.recomputation;
  }

  /** What the step takes on the device, by part; the state included. */
  get planned(): PlannedBytes {
    return this.#program.bytes;
  }

  /** The plan, an op a row. */
  get rows(): readonly PlanRow[] {
    return this.#program.rows;
  }

  /** See `Program.kernels`. */
  get kernels(): ReadonlyMap<string, string> {
    return this.#program.kernels;
  }

  /** Submits step number `step` of the run (from 0) and returns at once. */
  run(batch: StepBatch, step: number): HostCost {
    return this.#program.run(this.#feeds(batch, step));
  }

  /** The same step, timed op by op: the same results, slower. */
  profile(batch: StepBatch, step: number): Promise<OpTime[]> {
    return this.#program.profile(this.#feeds(batch, step));
  }

  /** Waits for the steps since the last call (at most `HISTORY`) and returns their scalars. */
  async scalars(): Promise<StepScalars[]> {
    const rows = await this.#program.history();
    return rows.map(([loss = Number.NaN, gradientNorm = Number.NaN, lossScale]) => ({
      loss,
      gradientNorm,
      lossScale,
    }));
  }

  /** The learning rate of a step of the run, before the groups' factors. */
  learningRate(step: number): number {
    const { recipe, schedule, firstStep = 0 } = this.#options;
    return recipe.optimizer.lr * scheduleFactor(schedule, step - firstStep);
  }

  destroy(): void {
    this.#program.destroy();
  }

  /** What the loss is told of where the training stands. */
  #scheduled(step: number): readonly number[] {
    const { loss, schedule, stepsPerEpoch, firstStep = 0 } = this.#options;
    if (loss.kind === 'batch') return [];
    const done = step - firstStep;
    return loss.schedule({
      epoch: Math.floor(done / stepsPerEpoch),
      progress: done / schedule.totalSteps,
    });
  }

  #feeds({ images, targets }: StepBatch, step: number) {
    const { recipe, definition, state, firstStep = 0 } = this.#options;
    const { optimizer } = recipe;
    const update = step - firstStep;
    const learningRate = this.learningRate(step);
    const averageDecay = recipe.ema === false ? 1 : emaDecay(recipe.ema, update);
    const hyper =
      optimizer.name === 'adamw'
        ? adamWHyper({
            learningRate,
            step: update + 1,
            beta1: optimizer.betas[0],
            beta2: optimizer.betas[1],
            epsilon: optimizer.eps,
            averageDecay,
          })
        : sgdHyper({ learningRate, momentum: optimizer.momentum, averageDecay });
    const scheduled = this.#scheduled(step);
    return {
      images,
      targets,
      hyper,
      ...(scheduled.length > 0 && { scheduled: Float32Array.from(scheduled) }),
      ...(recipe.ema !== false &&
        state.groups.followed.length > 0 && { averageWeight: Float32Array.of(1 - averageDecay) }),
      ...(definition.usesDropout && { dropoutSeed: dropoutSeed(recipe.seed, step) }),
    };
  }
}

function traceProgram(device: Device, options: StepProgramOptions): CompileOptions {
  const graph = new Graph();
  return {
    graph,
    records: traceStep(graph, options, device.traits),
    recordCapacity: HISTORY,
    arenas: options.state.arenas,
    ...(options.recipe.precision === 'f16' && { halves: { copies: { params: 'halfParams' } } }),
    tuning: options.tuning,
    runs: options.schedule.totalSteps,
    memory: options.memory,
  };
}

/** @returns the scalars to record: loss, gradient norm and, in mixed precision, the loss scale */
function traceStep(
  graph: Graph,
  options: StepProgramOptions,
  limits: { readonly maxBindings: number },
): Tensor[] {
  const { definition, recipe, batchSize, imageShape, state } = options;
  const { trained, holdsStatistics } = state.groups;
  const images = graph.input('images', [batchSize, ...imageShape]);
  const targets = graph.input('targets', [batchSize, definition.config.classes]);
  const { logits, observed } = definition.trace(graph, images, 'train', {
    holdsStatistics,
    ...(definition.usesDropout && { dropoutSeed: graph.input('dropoutSeed', [2], 'u32') }),
  });
  const loss = graph.scope('loss', () => {
    const { reduction } = recipe.loss;
    const bound = options.loss;
    const numbers = bound.kind === 'entries' ? bound.schedule(BEGINNING).length : 0;
    const scheduled = numbers > 0 ? graph.input('scheduled', [numbers]) : undefined;
    return traceBoundLoss(bound, logits, targets, { reduction, scheduled, ...options.statistics });
  });
  // with respect to these only: what leads to frozen parameters alone is never computed
  const parameters = trained.map(({ name, shape }) => graph.variable('params', name, shape));
  const scaling =
    recipe.precision === 'f16' ? graph.variable('scaling', 'lossScale', [LOSS_SCALE_STATE]) : undefined;
  const scale = scaling && lossScale(scaling);
  const gradients = grad(loss, parameters, scale && reshape(scale, loss.shape));
  for (const [i, { name, shape }] of trained.entries()) {
    const gradient = gradients[i];
    if (gradient) store(gradient, graph.variable('grads', name, shape));
  }
  const norm = graph.scope('norm', () => {
    const scaled = gradientNorm(shards(graph, 'grads', state.trainedLayout));
    return scale ? div(scaled, scale) : scaled;
  });
  const { clipNorm } = recipe.optimizer;
  const clip = graph.scope('clip', () => {
    const factor = clipFactor(norm, clipNorm === false ? undefined : clipNorm);
    return scale ? div(factor, scale) : factor;
  });
  graph.scope('optimizer', () => traceUpdate(graph, clip, options, limits));
  graph.scope('statistics', () => traceStatistics(graph, observed, clip, options));
  if (!scaling || !scale) return [loss, norm];
  graph.scope('scaling', () => updateLossScale(scaling, clip));
  return [loss, norm, scale];
}

function traceUpdate(
  graph: Graph,
  clip: Tensor,
  { recipe: { optimizer, ema, precision }, state }: StepProgramOptions,
  { maxBindings }: { readonly maxBindings: number },
): void {
  const layout = state.trainedLayout;
  const tables = buildDecayTable(layout, state.groups.table);
  const hyper = graph.input('hyper', [optimizer.name === 'adamw' ? ADAMW_HYPER : SGD_HYPER]);
  const whole = (arena: string) => shards(graph, arena, layout);
  const [params, grads, average] = [whole('params'), whole('grads'), ema === false ? [] : whole('average')];
  const copies = precision === 'f16' ? shards(graph, 'halfParams', layout, 'f16') : [];
  const moments = (optimizer.name === 'adamw' ? ['firstMoment', 'secondMoment'] : ['momentum']).map(whole);
  // WebGPU promises eight storage buffers; AdamW with everything beside it wants nine
  const copyInPlace = maxBindings >= 9;
  for (const [i, table] of tables.entries()) {
    const [shard, gradient, first, second, followed, copy] = [
      params[i],
      grads[i],
      moments[0]?.[i],
      moments[1]?.[i],
      average[i],
      copies[i],
    ];
    if (!shard || !gradient || !first) continue;
    const update = {
      params: shard,
      grads: gradient,
      table: graph.constant(table, [table.length / 2, 2]),
      hyper,
      clip,
      ...(followed && { average: followed }),
      ...(copyInPlace && copy && { copy }),
    };
    if (optimizer.name === 'sgd') sgd({ ...update, momentum: first }, { nesterov: optimizer.nesterov });
    else if (second) adamW({ ...update, firstMoment: first, secondMoment: second });
    if (copy && !copyInPlace) halveInto(copy, shard);
  }
}

/** Running statistics follow the batch's, and the averaged ones follow the running ones. */
function traceStatistics(
  graph: Graph,
  observed: ReadonlyMap<string, Tensor>,
  gate: Tensor,
  { recipe, state }: StepProgramOptions,
): void {
  const { followed } = state.groups;
  if (followed.length === 0) return;
  for (const { name, shape } of followed) {
    const value = observed.get(name);
    if (!value) throw new RangeError(`the model observed nothing for its statistic "${name}"`);
    store(value, graph.variable('observed', name, shape));
  }
  const whole = (arena: string) => shards(graph, arena, state.followedLayout);
  const [running, seen] = [whole('stats'), whole('observed')];
  for (const [i, shard] of running.entries()) {
    const source = seen[i];
    if (source) lerpInto(shard, source, STATISTICS_MOMENTUM, gate);
  }
  if (recipe.ema === false) return;
  const weight = graph.input('averageWeight', [1]);
  for (const [i, shard] of whole('averageStats').entries()) {
    const source = running[i];
    if (source) lerpInto(shard, source, weight, gate);
  }
}

function shards(graph: Graph, arena: string, layout: ArenaLayout, dtype?: DType): Tensor[] {
  return layout.shards.map((elements, i) =>
    graph.variable(arena, ArenaLayout.shardName(i), [elements], dtype),
  );
}

/** The two words that a step's dropout masks are drawn from. */
function dropoutSeed(seed: number, step: number): Uint32Array {
  const random = new Random(seed, 'dropout', step);
  return Uint32Array.of(random.uint32(), random.uint32());
}
