import type { Device } from '../../engine/device.js';
import { TailrayError } from '../../engine/errors.js';
import { planWeightArenas } from '../../models/weight-arenas.js';
import { InferenceProgram } from '../../predict/inference-program.js';
import { lossOf } from '../../recipe/recipe-loss.js';
import type { Recipe } from '../../recipe/recipe-schema.js';
import { StepProgram } from './step-program.js';
import { modelToPlan, scheduleOf } from './trainer.js';
import { planTrainingState } from './training-state-plan.js';

/**
 * What a training will take on a device, known before any of it is allocated: the same plans that the training itself
 * would make.
 */
export interface TrainingMemory {
  /** Bytes of weights, gradients, moments and averages. */
  readonly state: number;
  /** Beside these, of a step, and of an evaluation; both stand ready all the time. */
  readonly step: number;
  readonly evaluation: number;
  /** All of it: what `train` prints as its peak. */
  readonly total: number;
}

/**
 * @param recipe its `memory` is not heeded: this is what would be taken without a limit
 * @throws OutOfMemoryError where a value is larger than the adapter can bind; ModelError, ShapeError, KernelError
 */
export function planTrainingMemory(device: Device, recipe: Recipe, classes: number): TrainingMemory {
  const definition = modelToPlan(recipe, classes);
  const limit = device.traits.maxBindingBytes;
  const { batchSize, preprocessing, augment } = recipe;
  const common = { definition, batchSize };
  const loss = lossOf(recipe.loss);
  const step = StepProgram.plan(device, {
    ...common,
    images: { kind: 'pixels', preprocessing, augment },
    state: planTrainingState(definition, recipe, limit, loss),
    recipe,
    loss,
    // only what the labels weigh depends on these, no size
    statistics: { classCounts: new Array<number>(classes).fill(1), samples: batchSize },
    schedule: scheduleOf(recipe, 1),
    stepsPerEpoch: 1,
  });
  const arenas = planWeightArenas(definition, limit);
  const evaluation = InferenceProgram.plan(device, { ...common, preprocessing, arenas }).bytes;
  const parts = {
    state: step.arenas,
    step: step.total - step.arenas,
    evaluation: evaluation.total - evaluation.arenas,
  };
  return { ...parts, total: parts.state + parts.step + parts.evaluation };
}

/** The largest batch, up to the recipe's, that the device can plan for; 0 where not even a single image can be. */
export function largestPlannedBatch(device: Device, recipe: Recipe, classes: number): number {
  let [fitting, failing] = [0, recipe.batchSize + 1];
  while (failing - fitting > 1) {
    const middle = (fitting + failing) >> 1;
    if (canPlan(device, { ...recipe, batchSize: middle }, classes)) fitting = middle;
    else failing = middle;
  }
  return fitting;
}

function canPlan(device: Device, recipe: Recipe, classes: number): boolean {
  try {
    planTrainingMemory(device, recipe, classes);
    return true;
  } catch (error) {
    if (error instanceof TailrayError) return false;
    throw error;
  }
}
