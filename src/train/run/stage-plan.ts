import { isMixing } from '../../data/images/mix.js';
import type { Sampler } from '../../data/sampling/sampler.js';
import type { BoundLoss } from '../../losses/define/loss.js';
import { LossError } from '../../losses/define/loss-error.js';
import type { ClassPrompts } from '../../models/heads/head.js';
import type { LossFile } from '../../recipe/loss-file.js';
import { lossOf } from '../../recipe/recipe-loss.js';
import type { Recipe } from '../../recipe/recipe-schema.js';
import { shareData, stageRecipes } from '../../recipe/recipe-stages.js';
import { epochSampler } from './epoch-sampler.js';
import { type TrainingData, TrainingDataError } from './training-data.js';

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
  /** What it trains and validates on; the same object in stages that share it. */
  readonly data: TrainingData;
  /**
   * Of a run that validates on several sets of images: the first stage with this one's, by name or number, since scores
   * on other images make another curve. Absent where all stages share theirs.
   */
  readonly curve?: string;
  /** Classes whose labels the stages before saw, beside its own. */
  readonly seenBefore: readonly string[];
  /** Of its classes, where its head reads texts. */
  readonly prompts: ClassPrompts | undefined;
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

/** What the recipe says of with files and tables. */
export interface StageSources {
  /** Of each stage. */
  readonly data: readonly TrainingData[];
  /** Of each stage whose head reads texts. */
  readonly prompts?: readonly (ClassPrompts | undefined)[] | undefined;
  /** Where the recipe names one. */
  readonly lossFile?: Pick<LossFile, 'loss'> | undefined;
}

/**
 * @throws SamplerError; LossError; TrainingDataError when an epoch of a stage doesn't fill one batch, or a stage would
 *   keep a head that scores other classes
 */
export function planStages(recipe: Recipe, { data: ofStages, prompts, lossFile }: StageSources): Stage[] {
  const parts = stageRecipes(recipe).map((own, i) => {
    const data = ofStages[i];
    if (data === undefined) throw new RangeError(`there are no data for stage ${i + 1}`);
    const sampler = epochSampler(own, data);
    const loss = lossOf(own.loss, lossFile);
    if (own.augment !== false && isMixing(own.augment) && loss.hardLabels) throw needsHardLabels(loss.name);
    return {
      recipe: own,
      data,
      prompts: prompts?.[i],
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
  const severalSets = parts.some((part) => parts[0] && !shareData(part.recipe, parts[0].recipe));
  const curveOf = (own: Recipe) => {
    const first = parts.findIndex((part) => shareData(part.recipe, own));
    return recipe.stages?.[first]?.name ?? `stage${first + 1}`;
  };
  let [firstEpoch, firstStep] = [0, 0];
  const stages = parts.map((part, i) => {
    const { name, start = 'last', head = 'keep' } = recipe.stages?.[i] ?? {};
    const { epochs } = part.recipe.schedule;
    const endEpoch = firstEpoch + epochs;
    const curve = severalSets && { curve: curveOf(part.recipe) };
    const others = parts.slice(0, i).flatMap(({ data }) => data.classes);
    const seenBefore = [...new Set(others)].filter((name) => !part.data.classes.includes(name));
    const stage = {
      ...part,
      ...curve,
      seenBefore,
      number: i + 1,
      name,
      start,
      head,
      firstEpoch,
      firstStep,
      endEpoch,
      run,
    };
    firstEpoch = endEpoch;
    firstStep += epochs * part.stepsPerEpoch;
    return stage;
  });
  for (const [i, stage] of stages.entries()) requireHead(stages[i - 1], stage);
  return stages;
}

/** The stage whose network, classes and scores a run ends with. */
export function lastStage(stages: readonly Stage[]): Stage {
  const last = stages.at(-1);
  if (last === undefined) throw new RangeError('a run has at least one stage');
  return last;
}

/** The sets that the stages train on, each once, in the order of their first stage. */
export function distinctData(stages: readonly Pick<Stage, 'data'>[]): TrainingData[] {
  return [...new Set(stages.map(({ data }) => data))];
}

/** `stage 2, classifier` */
export function stageTitle({ number, name }: Pick<Stage, 'number' | 'name'>): string {
  return `stage ${number}${name === undefined ? '' : `, ${name}`}`;
}

/** @throws TrainingDataError where a stage keeps a head of other classes, or lacks embeddings of its own */
function requireHead(before: Stage | undefined, stage: Stage): void {
  if (before === undefined) return;
  const [theirs, ours] = [before.data.classes, stage.data.classes];
  const at = Array.from({ length: Math.max(theirs.length, ours.length) }, (_, c) => c).find(
    (c) => theirs[c] !== ours[c],
  );
  if (at === undefined) return;
  if (stage.recipe.model.head.embeddings === 'fixed' && stage.prompts === undefined) {
    throw new TrainingDataError(
      `${stageTitle(stage)}: the embeddings that its head compares with are those of other classes: say in the ` +
        'section zeroshot what embeds the texts.',
    );
  }
  if (stage.head === 'reset') return;
  const named = (name: string | undefined) => (name === undefined ? 'missing' : `"${name}"`);
  throw new TrainingDataError(
    `${stageTitle(stage)}: its data have other classes than those of the stage before, or another order ` +
      `(class ${at + 1} is ${named(ours[at])}, and was ${named(theirs[at])}), so that stage's head can't be kept: ` +
      'say head: reset to start with a fresh one.',
  );
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
