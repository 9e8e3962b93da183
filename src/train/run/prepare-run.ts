import type { PictureCache } from '../../data/cache/picture-cache.js';
import type { HubOptions } from '../../hub/hub-settings.js';
import { isPlaceholder } from '../../recipe/recipe-paths.js';
import type { Recipe } from '../../recipe/recipe-schema.js';
import { shareNetwork, stageRecipes } from '../../recipe/recipe-stages.js';
import { sha256 } from '../../storage/content-digest.js';
import { fetchWeights } from '../../weights/fetch-weights.js';
import type { RunPlan } from './run-plan.js';
import { ExaminedSets, examineStages } from './stage-data.js';
import { distinctData, lastStage, planStages, type Stage, stageTitle } from './stage-plan.js';
import { TrainingDataError } from './training-data.js';
import { prepareZeroShot, type ZeroShotRun } from './zeroshot-run.js';

/**
 * Everything that a run needs before its first step, for every command that trains: weights on this machine, data that
 * can be read, and the plan of its stages. Nothing is written into the run directory, so a mistake in the request costs
 * seconds and no earlier run.
 */
export interface PreparedRun extends RunPlan {
  /** In their order, each with its data; a run without stages is one. */
  readonly stages: readonly Stage[];
  /** Fingerprint of all data and texts: a resumed run must see the same. */
  readonly digest: string;
  /** Where the recipe declares the run zero-shot. */
  readonly zeroshot?: ZeroShotRun | undefined;
  /** How a hub is asked, by what comes later. */
  readonly hub?: HubOptions | undefined;
}

export interface PrepareOptions {
  /** Folder for things that can be made again, such as phantoms. */
  readonly cache: string;
  /** Keeps prepared pictures for later starts. */
  readonly pictures?: PictureCache | undefined;
  /** How a hub is asked, where the weights are on one. */
  readonly hub?: HubOptions | undefined;
  /** Refuse data with unreadable pictures. */
  readonly strict?: boolean | undefined;
  /** For callers that keep data which several runs share. */
  readonly sets?: ExaminedSets | undefined;
  readonly onProgress?: ((title: string, done: number, total: number) => void) | undefined;
}

/**
 * Brings a plan's weights and data together. The recipe that comes out names the commit of weights on a hub.
 * @throws HubError, CheckpointError for weights; TableError, SplitError, QuarantineError (strict), TrainingDataError for
 *   data; SamplerError; PhantomOptionsError
 */
export async function prepareRun(
  plan: RunPlan,
  { cache, pictures, hub = {}, strict, sets = new ExaminedSets(), onProgress }: PrepareOptions,
): Promise<PreparedRun> {
  requireFilledIn(plan.recipe);
  // a run that goes on has its weights
  const { recipe, notes } = plan.resume
    ? { recipe: plan.recipe, notes: [] }
    : await fetchWeights(plan.recipe, hub);
  const recipes = stageRecipes(recipe);
  const data = await examineStages(recipes, { sets, cache, pictures, strict, onProgress });
  const kept = plan.resume ? plan.run.promptCopy : undefined;
  const zeroshot = await prepareZeroShot(recipe, data, { kept, hub });
  const stages = planStages(recipe, { data, prompts: zeroshot?.texts?.trained, lossFile: plan.lossFile });
  requireValidation(recipe, stages);
  return {
    ...plan,
    recipe,
    notes: [...plan.notes, ...notes, ...competitionNotes(recipe, stages)],
    stages,
    digest: await digestOf(stages, zeroshot),
    zeroshot,
    hub,
  };
}

/** @throws TrainingDataError where paths of a recipe to start from are still to be filled in */
function requireFilledIn(recipe: Recipe): void {
  const open = stageRecipes(recipe).flatMap(({ data: { path } }, i) => {
    if (path === undefined || !isPlaceholder(path)) return [];
    const [place, option] =
      path === recipe.data.path
        ? ['data.path', '--data PATH']
        : [`stages.${i}.data.path`, `--set stages.${i}.data.path=PATH`];
    return [`${place}: ${path} (or say ${option})`];
  });
  if (open.length === 0) return;
  throw new TrainingDataError(
    `paths of yours are still missing; put them into the recipe:\n  ${[...new Set(open)].join('\n  ')}`,
  );
}

/** @throws TrainingDataError where a stage wants to be validated and nothing is held out for it */
function requireValidation({ validation, checkpoint }: Recipe, stages: readonly Stage[]): void {
  const without = stages.find(({ data }) => data.validation === null);
  if (without === undefined) return;
  const wanted =
    validation.patience !== undefined
      ? ['validation.patience waits for a better validation', 'patience']
      : checkpoint.keep > 1
        ? ['checkpoint.keep ranks epochs by their validation', 'keep']
        : undefined;
  if (wanted === undefined) return;
  throw new TrainingDataError(
    `${stages.length > 1 ? `${stageTitle(without)}: ` : ''}${wanted[0]}, and nothing is held out for validation: ` +
      `set data.validationFraction above 0, or leave ${wanted[1]} out.`,
  );
}

/** Stages that checkpoint.best leaves out, although it says any. */
function competitionNotes({ checkpoint }: Recipe, stages: readonly Stage[]): string[] {
  if (checkpoint.best !== 'any-stage') return [];
  const last = lastStage(stages);
  const from = stages.findLastIndex(({ recipe }) => !shareNetwork(recipe, last.recipe)) + 1;
  if (from === 0) return [];
  const left = from === 1 ? 'stage 1 is' : `stages 1 to ${from} are`;
  return [
    `checkpoint.best any-stage: ${left} left out, since another head, other data or another preprocessing than the ` +
      'last stage’s come before it.',
  ];
}

/** Of one set without texts, the set's own. */
async function digestOf(stages: readonly Stage[], zeroshot: ZeroShotRun | undefined): Promise<string> {
  const [first = '', ...others] = distinctData(stages).map(({ digest }) => digest);
  const sets = others.length === 0 ? first : await sha256([first, ...others].join(' '));
  return zeroshot?.texts ? sha256(`${sets} ${zeroshot.texts.prompts.digest}`) : sets;
}
