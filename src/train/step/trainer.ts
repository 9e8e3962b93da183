import type { Tuning } from '../../engine/choose/tune.js';
import type { Device } from '../../engine/device.js';
import { MemoryBudgetError } from '../../engine/errors.js';
import type { BoundLoss } from '../../losses/define/loss.js';
import type { ClassPrompts } from '../../models/heads/head.js';
import {
  defineModel,
  initialParameters,
  type ModelDefinition,
  parameterCount,
  withoutAdapters,
} from '../../models/model.js';
import type { SafetensorsTensor } from '../../models/safetensors/safetensors.js';
import { mergeAdapters } from '../../models/weights/merge-adapters.js';
import { exportTimm, type ModelWeights } from '../../models/weights/timm-weights.js';
import { type InferenceOptions, InferenceProgram } from '../../predict/inference-program.js';
import type { Recipe } from '../../recipe/recipe-schema.js';
import { parseByteSize } from '../../text/byte-size.js';
import type { TrainedAdapters } from '../../weights/adapter-file.js';
import { type InitialWeights, initialWeights } from '../../weights/initial-weights.js';
import { memoryAdvice } from './memory-advice.js';
import { adaptersOf } from './parameter-groups.js';
import type { Schedule } from './schedule.js';
import type { StepProgramOptions } from './step-options.js';
import { StepProgram } from './step-program.js';
import { TrainingState } from './training-state.js';

/** A recipe and its data's measures, put onto a device: the model's state, the training step and the evaluation. */
export interface TrainerOptions {
  readonly recipe: Recipe;
  readonly classes: number;
  /** Of each class, for heads that read texts. */
  readonly prompts?: ClassPrompts | undefined;
  /** The recipe's, with its parameters. */
  readonly loss: BoundLoss;
  /** Of the training labels, for losses that weigh classes by them. */
  readonly statistics: StepProgramOptions['statistics'];
  readonly stepsPerEpoch: number;
  /** Steps of the run before this training's first; 0 when absent. */
  readonly firstStep?: number;
  /** Which kernels to use; absent: the rule's. */
  readonly tuning?: Tuning | undefined;
}

export class Trainer {
  /** With the adapters that the recipe puts beside its layers. */
  readonly definition: ModelDefinition;
  /** Without them: the network that weights are read for, and that comes out. */
  readonly base: ModelDefinition;
  readonly state: TrainingState;
  readonly step: StepProgram;
  /** On the validated weights. */
  readonly inference: InferenceProgram;
  /** Which weights are validated and saved as the best: the averaged ones, where the recipe wants them. */
  readonly validated: 'average' | 'raw';
  readonly schedule: Schedule;
  readonly #recipe: Recipe;

  private constructor(parts: {
    recipe: Recipe;
    definition: ModelDefinition;
    state: TrainingState;
    step: StepProgram;
    inference: InferenceProgram;
    validated: 'average' | 'raw';
    schedule: Schedule;
  }) {
    this.#recipe = parts.recipe;
    this.definition = parts.definition;
    this.base = withoutAdapters(parts.definition);
    this.state = parts.state;
    this.step = parts.step;
    this.inference = parts.inference;
    this.validated = parts.validated;
    this.schedule = parts.schedule;
  }

  /** @throws ModelError, KernelError, OutOfMemoryError; MemoryBudgetError with what would fit the recipe's `memory` */
  static async create(device: Device, options: TrainerOptions): Promise<Trainer> {
    const { recipe } = options;
    const definition = modelOf(recipe, options.classes, options.prompts);
    const state = await TrainingState.create(device, definition, recipe, options.loss);
    const schedule = scheduleOf(recipe, options.stepsPerEpoch);
    const validated = recipe.ema !== false && recipe.validation.ema ? 'average' : 'raw';
    const programs = new Programs(device, recipe, (batchSize) => {
      const { preprocessing, augment } = recipe;
      const common = { definition, batchSize, tuning: options.tuning };
      return {
        inference: { ...common, preprocessing, arenas: state.weights(validated) },
        step: {
          ...common,
          images: { kind: 'pixels', preprocessing, augment },
          state,
          recipe,
          schedule,
          loss: options.loss,
          statistics: options.statistics,
          stepsPerEpoch: options.stepsPerEpoch,
          firstStep: options.firstStep,
        },
      };
    });
    try {
      const { step, inference } = await programs.create();
      return new Trainer({ recipe, definition, state, step, inference, validated, schedule });
    } catch (error) {
      state.destroy();
      throw error;
    }
  }

  /**
   * Puts the starting weights in place: the recipe's file, else fresh ones.
   * @param given parameters that come from elsewhere, by name, such as embeddings of texts @throws CheckpointError
   */
  async initialise(given: ReadonlyMap<string, Float32Array> = new Map()): Promise<InitialWeights['notes']> {
    const { seed, model, preprocessing } = this.#recipe;
    const weights = await initialWeights(this.base, { ...model, seed, preprocessing });
    const parameters = new Map([...weights.parameters, ...given]);
    this.begin({ ...weights, parameters }, seed);
    return weights.notes;
  }

  /** Puts weights of the network in place, with fresh adapters beside them where there are such. */
  begin({ parameters, statistics }: ModelWeights, seed: number): void {
    const adapters = this.definition.parameters.filter(({ adapts }) => adapts);
    this.state.initialise(
      new Map([...parameters, ...initialParameters({ parameters: adapters }, seed)]),
      statistics,
    );
  }

  /** The validated weights, adapters merged into them. */
  async weights(): Promise<ModelWeights> {
    return mergeAdapters(this.definition.parameters, await this.#read());
  }

  /** The same under timm's names; and the adapters apart, where there are such. */
  async results(): Promise<{
    readonly tensors: Map<string, SafetensorsTensor>;
    readonly adapters: TrainedAdapters | undefined;
  }> {
    const weights = await this.#read();
    const merged = mergeAdapters(this.definition.parameters, weights);
    const { trained, frozen, followed, held } = this.state.groups;
    const adapters = {
      changed: { parameters: trained, statistics: followed },
      kept: { parameters: frozen, statistics: held },
      weights,
    };
    return {
      tensors: exportTimm(this.base, merged),
      adapters: trained.some(({ adapts }) => adapts) ? adapters : undefined,
    };
  }

  /** The validated values of all that `definition` has. */
  async #read(): Promise<ModelWeights> {
    const { params, stats } = this.state.weights(this.validated);
    return { parameters: await params.readAll(), statistics: await stats.readAll() };
  }

  /** The kernel variants in use, by problem: with the same ones, a resumed run computes the same bits. */
  get kernels(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.step.kernels, ...this.inference.kernels]);
  }

  get parameters(): number {
    return parameterCount(this.base);
  }

  /** Bytes on the device while training: state, and all that a step and an evaluation need beside it. */
  get peakBytes(): number {
    return this.state.bytes + this.step.bytes + this.inference.bytes;
  }

  destroy(): void {
    this.step.destroy();
    this.inference.destroy();
    this.state.destroy();
  }
}

/**
 * The two programs of a training run, within the memory that the recipe allows: the evaluation takes what it needs, the
 * step gets the rest and recomputes where that is too little.
 */
class Programs {
  readonly #memory: number | undefined;

  constructor(
    readonly device: Device,
    readonly recipe: Pick<Recipe, 'memory' | 'batchSize'>,
    readonly describe: (batchSize: number) => { inference: InferenceOptions; step: StepProgramOptions },
  ) {
    this.#memory = recipe.memory === undefined ? undefined : parseByteSize(recipe.memory);
  }

  /** @throws MemoryBudgetError saying what would fit, and what `compile` throws */
  async create(): Promise<{ inference: InferenceProgram; step: StepProgram }> {
    const { batchSize } = this.recipe;
    const memory = this.#memory;
    const options = this.describe(batchSize);
    const inference = await InferenceProgram.create(this.device, options.inference);
    const beside = inference.bytes;
    try {
      const step = await StepProgram.create(this.device, {
        ...options.step,
        memory: memory && memory - beside,
      });
      return { step, inference };
    } catch (error) {
      inference.destroy();
      if (memory === undefined || !(error instanceof MemoryBudgetError)) throw error;
      throw memoryAdvice(error, { memory, beside, batchSize, fits: (size) => this.#fits(size, memory) });
    }
  }

  #fits(batchSize: number, memory: number): boolean {
    const { inference, step } = this.describe(batchSize);
    try {
      const { total, arenas } = InferenceProgram.plan(this.device, inference).bytes;
      StepProgram.plan(this.device, { ...step, memory: memory - (total - arenas) });
      return true;
    } catch (error) {
      if (error instanceof MemoryBudgetError) return false;
      throw error;
    }
  }
}

/**
 * The network that a recipe trains, with the adapters of its parameter groups.
 * @param prompts of each class, for heads that read texts
 * @throws ModelError; ParameterPatternError
 */
export function modelOf(
  { model, preprocessing, optimizer }: Recipe,
  classes: number,
  prompts?: ClassPrompts,
): ModelDefinition {
  const { weights: _weights, weightsHead: _head, adapters: _adapters, ...config } = model;
  const { channels, size } = preprocessing;
  const base = defineModel({
    ...config,
    classes,
    inChannels: channels,
    imageSize: size,
    ...(prompts && { prompts }),
  });
  const adapters = adaptersOf(base, optimizer);
  return adapters.size === 0 ? base : defineModel(base.config, { adapters });
}

/** The same for plans that are made before the texts of the classes are known: one word stands for each. */
export function modelToPlan(recipe: Recipe, classes: number): ModelDefinition {
  return modelOf(recipe, classes, new Array<readonly string[]>(classes).fill(['finding']));
}

/** The learning-rate schedule in steps. */
export function scheduleOf({ schedule }: Pick<Recipe, 'schedule'>, stepsPerEpoch: number): Schedule {
  const { kind, by, epochs, warmupEpochs, warmupSteps, floor } = schedule;
  return {
    kind,
    floor,
    totalSteps: epochs * stepsPerEpoch,
    warmupSteps: warmupSteps ?? Math.round(warmupEpochs * stepsPerEpoch),
    ...(by === 'epoch' && { every: stepsPerEpoch }),
  };
}
