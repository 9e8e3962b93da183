import type { Tuning } from '../../engine/choose/tune.js';
import type { Device } from '../../engine/device.js';
import type { BoundLoss } from '../../losses/define/loss.js';
import { defineModel, type ModelDefinition, parameterCount } from '../../models/model.js';
import type { SafetensorsTensor } from '../../models/safetensors/safetensors.js';
import { exportTimm, type ModelWeights } from '../../models/weights/timm-weights.js';
import type { InferenceProgram } from '../../predict/inference-program.js';
import type { Recipe } from '../../recipe/recipe-schema.js';
import { freshWeights, type InitialWeights, weightsFrom } from '../../weights/initial-weights.js';
import type { Schedule } from './schedule.js';
import type { StepProgram, StepProgramOptions } from './step-program.js';
import { TrainerPrograms } from './trainer-programs.js';
import { TrainingState } from './training-state.js';

/** A recipe and its data's measures, put onto a device: the model's state, the training step and the evaluation. */
export interface TrainerOptions {
  readonly recipe: Recipe;
  readonly classes: number;
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
  readonly definition: ModelDefinition;
  readonly state: TrainingState;
  readonly step: StepProgram;
  /** On the weights that are validated and kept: the averaged ones, where the recipe wants them. */
  readonly inference: InferenceProgram;
  readonly kept: 'average' | 'raw';
  readonly schedule: Schedule;
  readonly #recipe: Recipe;

  private constructor(parts: {
    recipe: Recipe;
    definition: ModelDefinition;
    state: TrainingState;
    step: StepProgram;
    inference: InferenceProgram;
    kept: 'average' | 'raw';
    schedule: Schedule;
  }) {
    this.#recipe = parts.recipe;
    this.definition = parts.definition;
    this.state = parts.state;
    this.step = parts.step;
    this.inference = parts.inference;
    this.kept = parts.kept;
    this.schedule = parts.schedule;
  }

  /** @throws ModelError, KernelError, OutOfMemoryError; MemoryBudgetError with what would fit the recipe's `memory` */
  static async create(device: Device, options: TrainerOptions): Promise<Trainer> {
    const { recipe } = options;
    const definition = modelOf(recipe, options.classes);
    const state = await TrainingState.create(device, definition, recipe);
    const schedule = scheduleOf(recipe, options.stepsPerEpoch);
    const kept = recipe.ema !== false && recipe.validation.ema ? 'average' : 'raw';
    const programs = new TrainerPrograms(device, recipe, (batchSize) => {
      const [height, width] = recipe.preprocessing.size;
      const imageShape = [height, width, recipe.preprocessing.channels] as const;
      const common = { definition, batchSize, imageShape, tuning: options.tuning };
      return {
        inference: { ...common, arenas: state.weights(kept) },
        step: {
          ...common,
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
      return new Trainer({ recipe, definition, state, step, inference, kept, schedule });
    } catch (error) {
      state.destroy();
      throw error;
    }
  }

  /** Puts the starting weights in place: the recipe's file, else fresh ones. @throws CheckpointError */
  async initialise(): Promise<InitialWeights['notes']> {
    const { seed, model, preprocessing } = this.#recipe;
    const weights =
      model.weights === undefined
        ? freshWeights(this.definition, seed)
        : await weightsFrom(model.weights, this.definition, {
            head: model.weightsHead,
            seed,
            preprocessing,
          });
    this.state.initialise(weights.parameters, weights.statistics);
    return weights.notes;
  }

  /** The weights that are validated and kept. */
  async weights(): Promise<ModelWeights> {
    const { params, stats } = this.state.weights(this.kept);
    return { parameters: await params.readAll(), statistics: await stats.readAll() };
  }

  /** The same under timm's names. */
  async tensors(): Promise<Map<string, SafetensorsTensor>> {
    return exportTimm(this.definition, await this.weights());
  }

  /** The kernel variants in use, by problem: with the same ones, a resumed run computes the same bits. */
  get kernels(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.step.kernels, ...this.inference.kernels]);
  }

  get parameters(): number {
    return parameterCount(this.definition);
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

/** The network that a recipe describes. @throws ModelError */
export function modelOf({ model, preprocessing }: Recipe, classes: number): ModelDefinition {
  const { weights: _weights, weightsHead: _head, ...config } = model;
  return defineModel({ ...config, classes, inChannels: preprocessing.channels });
}

/** The learning-rate schedule in steps. */
export function scheduleOf({ schedule }: Pick<Recipe, 'schedule'>, stepsPerEpoch: number): Schedule {
  const { kind, epochs, warmupEpochs, warmupSteps, floor } = schedule;
  return {
    kind,
    floor,
    totalSteps: epochs * stepsPerEpoch,
    warmupSteps: warmupSteps ?? Math.round(warmupEpochs * stepsPerEpoch),
  };
}
