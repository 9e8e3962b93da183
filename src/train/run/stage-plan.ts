import { isMixing } from '../../data/images/mix.js';
import type { Sampler } from '../../data/sampling/sampler.js';
import type { BoundLoss } from '../../losses/define/loss.js';
import { LossError } from '../../losses/define/loss-error.js';
import type { LossFile } from '../../recipe/loss-file.js';
import { lossOf } from '../../recipe/recipe-loss.js';
import type { Recipe } from '../../recipe/recipe-schema.js';
import { stageRecipes } from '../../recipe/recipe-stages.js';
import { epochSampler } from './epoch-sampler.js';
import type { TrainingData } from './training-data.js';

/**
 * When each stage of a run begins and ends. Epochs and steps are counted through all stages, so that curves go on and no
 * two epochs of a run draw the same random numbers; schedules, warm-ups and averages begin anew with each stage.
 */
export interface Stage {
  /** From 1. */
  readonly number: number;
  readonly name: string | undefined;
  /** With the stage's changes. */
  readonly recipe: Recipe;
  /** The recipe's, with its parameters: bound here, and handed down to the step. */
  readonly loss: BoundLoss;
  readonly start: 'last' | 'best';
  readonly head: 'keep' | 'reset';
  readonly sampler: Sampler;
  readonly stepsPerEpoch: number;
  /** Epochs and steps of the run before the stage's first. */
  readonly firstEpoch: number;
  readonly firstStep: number;
  /** Epochs of the run when the stage is over. */
  readonly endEpoch: number;
  readonly run: RunExtent;
}

export interface RunExtent {
  readonly stages: number;
  readonly epochs: number;
  readonly steps: number;
}

/**
 * @param lossFile read already, where the recipe names one
 * @throws SamplerError; LossError; TrainingDataError when an epoch of a stage doesn't fill one batch
 */
export function planStages(
  recipe: Recipe,
  data: Pick<TrainingData, 'train'>,
  lossFile?: Pick<LossFile, 'loss'>,
): Stage[] {
  const parts = stageRecipes(recipe).map((own) => {
    const sampler = epochSampler(own, data);
    const loss = lossOf(own.loss, lossFile);
    if (own.augment !== false && isMixing(own.augment) && loss.hardLabels) throw needsHardLabels(loss.name);
    return {
      recipe: own,
      loss,
      sampler,
      stepsPerEpoch: Math.floor(sampler.length / (own.batchSize * own.accumulate)),
    };
  });
  const run = {
    stages: parts.length,
    epochs: sum(parts.map((part) => part.recipe.schedule.epochs)),
    steps: sum(parts.map((part) => part.recipe.schedule.epochs * part.stepsPerEpoch)),
  };
  let [firstEpoch, firstStep] = [0, 0];
  return parts.map((part, i) => {
    const { name, start = 'last', head = 'keep' } = recipe.stages?.[i] ?? {};
    const { epochs } = part.recipe.schedule;
    const endEpoch = firstEpoch + epochs;
    const stage = { ...part, number: i + 1, name, start, head, firstEpoch, firstStep, endEpoch, run };
    firstEpoch = endEpoch;
    firstStep += epochs * part.stepsPerEpoch;
    return stage;
  });
}

function needsHardLabels(loss: string): LossError {
  return new LossError(
    `loss "${loss}" needs labels that are 0 or 1, and augment.mixup and augment.cutmix make labels between them: set both ` +
      'to false, or take a loss that is linear in each label, such as bce or asl (docs/losses.md).',
  );
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
