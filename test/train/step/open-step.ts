import type { Device } from '../../../src/engine/device.js';
import type { ModelDefinition } from '../../../src/models/model.js';
import type { ModelWeights } from '../../../src/models/weights/timm-weights.js';
import { lossOf } from '../../../src/recipe/recipe-loss.js';
import type { recipeSchema } from '../../../src/recipe/recipe-schema.js';
import type { ImageSource } from '../../../src/train/step/step-images.js';
import type { StepProgramOptions } from '../../../src/train/step/step-options.js';
import { StepProgram } from '../../../src/train/step/step-program.js';
import { TrainingState } from '../../../src/train/step/training-state.js';

interface StepSetup {
  readonly definition: ModelDefinition;
  readonly weights: ModelWeights;
  readonly recipe: ReturnType<typeof recipeSchema.parse>;
  /** Of a batch: [n, height, width, channels]. */
  readonly images: readonly [number, number, number, number];
  readonly steps: number;
}

/**
 * The step of a training at a constant rate, and its state, which begins with these weights. Both want to be destroyed.
 * @param source absent: the step is given images
 */
export async function openStep(
  device: Device,
  { definition, weights, recipe, images, steps }: StepSetup,
  source?: ImageSource,
) {
  const state = await TrainingState.create(device, definition, recipe);
  state.initialise(weights.parameters, weights.statistics);
  const [batchSize, ...imageShape] = images;
  const options: StepProgramOptions = {
    definition,
    state,
    recipe,
    loss: lossOf(recipe.loss),
    statistics: {
      classCounts: new Array<number>(definition.config.classes).fill(1),
      samples: batchSize,
    },
    schedule: { kind: 'constant', warmupSteps: 0, totalSteps: steps, floor: 0 },
    stepsPerEpoch: steps,
    batchSize,
    images: source ?? { kind: 'images', shape: imageShape },
  };
  return { state, options, program: await StepProgram.create(device, options) };
}
