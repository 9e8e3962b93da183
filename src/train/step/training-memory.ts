import type { PlanTarget } from '../../engine/device.js';
import { MemoryBudgetError, TailrayError } from '../../engine/errors.js';
import type { PlannedBytes } from '../../engine/plan/plan.js';
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
export function planTrainingMemory(target: PlanTarget, recipe: Recipe, classes: number): TrainingMemory {
  const { step, evaluation } = plansOf(target, recipe, classes);
  const [whole, scored] = [step(), evaluation()];
  const parts = {
    state: whole.arenas,
    step: whole.total - whole.arenas,
    evaluation: scored.total - scored.arenas,
  };
  return { ...parts, total: parts.state + parts.step + parts.evaluation };
}

/** The same total where as many values as possible are computed twice instead of kept: the least `memory` that would do. */
export function leastTrainingMemory(target: PlanTarget, recipe: Recipe, classes: number): number {
  const { step, evaluation } = plansOf(target, recipe, classes);
  const scored = evaluation();
  const beside = scored.total - scored.arenas;
  try {
    return step(1).total + beside;
  } catch (error) {
    if (!(error instanceof MemoryBudgetError)) throw error;
    return error.leastBytes + beside;
  }
}

/** Both plans of a training, to be made. @param memory of the step; absent: no limit */
function plansOf(
  target: PlanTarget,
  recipe: Recipe,
  classes: number,
): { step(memory?: number): PlannedBytes; evaluation(): PlannedBytes } {
  const definition = modelToPlan(recipe, classes);
  const limit = target.traits.maxBindingBytes;
  const { batchSize, preprocessing, augment } = recipe;
  const common = { definition, batchSize };
  const loss = lossOf(recipe.loss);
  const step = (memory?: number) =>
    StepProgram.plan(target, {
      ...common,
      memory,
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
  return {
    step,
    evaluation: () => InferenceProgram.plan(target, { ...common, preprocessing, arenas }).bytes,
  };
}

/** The largest batch, up to the recipe's, that the device can plan for; 0 where not even a single image can be. */
export function largestPlannedBatch(target: PlanTarget, recipe: Recipe, classes: number): number {
  let [fitting, failing] = [0, recipe.batchSize + 1];
  while (failing - fitting > 1) {
    const middle = (fitting + failing) >> 1;
    if (canPlan(target, { ...recipe, batchSize: middle }, classes)) fitting = middle;
    else failing = middle;
  }
  return fitting;
}

function canPlan(target: PlanTarget, recipe: Recipe, classes: number): boolean {
  try {
    planTrainingMemory(target, recipe, classes);
    return true;
  } catch (error) {
    if (error instanceof TailrayError) return false;
    throw error;
  }
}
