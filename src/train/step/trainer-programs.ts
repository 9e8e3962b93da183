import type { Device } from '../../engine/device.js';
import { MemoryBudgetError } from '../../engine/errors.js';
import { type InferenceOptions, InferenceProgram } from '../../predict/inference-program.js';
import type { Recipe } from '../../recipe/recipe-schema.js';
import { parseByteSize } from '../../storage/byte-size.js';
import { memoryAdvice } from './memory-advice.js';
import { StepProgram, type StepProgramOptions } from './step-program.js';

/**
 * The two programs of a training run, within the memory that the recipe allows: the evaluation takes what it needs, the
 * step gets the rest and recomputes where that is too little.
 */
export class TrainerPrograms {
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
