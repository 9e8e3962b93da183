import type { Device, PlanTarget } from '../../engine/device.js';
import { OutOfMemoryError, TailrayError } from '../../engine/errors.js';
import { architectures, parameterCount } from '../../models/model.js';
import { modelCost } from '../../models/model-cost.js';
import { ModelError } from '../../models/model-error.js';
import { nearestName } from '../../recipe/known-names.js';
import type { Recipe } from '../../recipe/recipe-schema.js';
import { modelToPlan } from './trainer.js';
import { largestPlannedBatch, leastTrainingMemory, planTrainingMemory } from './training-memory.js';
import { type TrialRun, trialRun } from './trial-run.js';

/** What each architecture costs, for somebody who has to choose one. */
export interface SurveyedModel {
  readonly arch: string;
  /** Trainable values, the head's included. */
  readonly parameters: number;
  /** Of the forward pass of one image; see model-cost.ts. */
  readonly multiplyAdds: number;
  readonly activations: number;
  /** Absent where there is no device to plan for. */
  readonly training?: TrainingEstimate;
  /** Absent where it was not asked for. */
  readonly trial?: TrialRun | { readonly failure: string };
}

/** Bytes at the peak for the recipe's batch, or for the largest that the adapter can bind, and why not for more. */
export type TrainingEstimate =
  | {
      readonly batchSize: number;
      readonly bytes: number;
      /** The least that it could do with, by recomputation; absent where it was not asked for. */
      readonly leastBytes?: number;
      readonly limit?: string;
    }
  | { readonly batchSize: 0; readonly limit: string };

export interface SurveyOptions {
  /** Of everything but the architecture: size, channels, head, batch, optimizer, precision. */
  readonly recipe: Recipe;
  readonly classes: number;
  /** To plan for; absent: no memory is planned. */
  readonly target?: PlanTarget | undefined;
  /** Also plan with as much recomputation as helps; takes seconds for a large network. */
  readonly recompute?: boolean | undefined;
  /** Also run each on this one. */
  readonly run?: Device | undefined;
}

/** The architectures whose names contain one of the words (`*` stands for any text), all for none. @throws ModelError */
export function matchArchitectures(words: readonly string[]): string[] {
  const known = architectures();
  if (words.length === 0) return known;
  const matches = words.map((word) => {
    const parts = word
      .toLowerCase()
      .split('*')
      .map((part) => part.replace(/[^\w]/g, '\\$&'));
    const pattern = new RegExp(parts.length > 1 ? `^${parts.join('.*')}$` : parts.join(''));
    const found = known.filter((name) => pattern.test(name));
    if (found.length > 0) return found;
    const near = nearestName(word, known);
    throw new ModelError(
      `no architecture is called "${word}"${near === undefined ? `; there are ${known.join(', ')}` : `; did you mean "${near}"?`}`,
    );
  });
  return known.filter((name) => matches.some((found) => found.includes(name)));
}

/** @throws ShapeError where the network can't take images of the recipe's size; ModelError */
export async function surveyModel(arch: string, options: SurveyOptions): Promise<SurveyedModel> {
  const { classes, target, recompute = false, run } = options;
  const recipe = { ...options.recipe, model: { ...options.recipe.model, arch } };
  const definition = modelToPlan(recipe, classes);
  return {
    arch,
    parameters: parameterCount(definition),
    ...modelCost(definition, recipe.preprocessing.size),
    ...(target && { training: estimate(target, { recipe, classes, recompute }) }),
    ...(run && { trial: await tryOut(run, recipe, classes) }),
  };
}

function estimate(
  target: PlanTarget,
  { recipe, classes, recompute }: { recipe: Recipe; classes: number; recompute: boolean },
): TrainingEstimate {
  const planned = (of: Recipe) => ({
    batchSize: of.batchSize,
    bytes: planTrainingMemory(target, of, classes).total,
    ...(recompute && { leastBytes: leastTrainingMemory(target, of, classes) }),
  });
  try {
    return planned(recipe);
  } catch (error) {
    if (!(error instanceof OutOfMemoryError)) throw error;
    const largest = largestPlannedBatch(target, recipe, classes);
    if (largest === 0) return { batchSize: 0, limit: error.message };
    return { ...planned({ ...recipe, batchSize: largest }), limit: error.message };
  }
}

async function tryOut(
  device: Device,
  recipe: Recipe,
  classes: number,
): Promise<TrialRun | { readonly failure: string }> {
  try {
    return await trialRun(device, recipe, classes);
  } catch (error) {
    if (!(error instanceof TailrayError)) throw error;
    return { failure: error.message };
  }
}
