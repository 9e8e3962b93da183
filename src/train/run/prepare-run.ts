import type { HubOptions } from '../../hub/hub-settings.js';
import { sha256 } from '../../storage/content-digest.js';
import { fetchWeights } from '../../weights/fetch-weights.js';
import { providePhantoms } from './phantom-source.js';
import type { RunPlan } from './run-plan.js';
import { planStages, type Stage } from './stage-plan.js';
import { examineTrainingData, type TrainingData, TrainingDataError } from './training-data.js';
import { prepareZeroShot, type ZeroShotRun } from './zeroshot-run.js';

/**
 * Everything that a run needs before its first step, for every command that trains: weights on this machine, data that
 * can be read, and the plan of its stages. Nothing is written into the run directory, so a mistake in the request costs
 * seconds and no earlier run.
 */
export interface PreparedRun extends RunPlan {
  readonly data: TrainingData;
  /** In their order; a run without stages is one. */
  readonly stages: readonly Stage[];
  /** Where the recipe declares the run zero-shot. */
  readonly zeroshot?: ZeroShotRun | undefined;
  /** How a hub is asked, by what comes later. */
  readonly hub?: HubOptions | undefined;
}

export interface PrepareOptions {
  /** Folder for things that can be made again, such as phantoms. */
  readonly cache: string;
  /** How a hub is asked, where the weights are on one. */
  readonly hub?: HubOptions | undefined;
  /** Refuse data with unreadable pictures. */
  readonly strict?: boolean | undefined;
  /** Reads the data; for callers that keep data which several runs share. */
  readonly examine?: typeof examineTrainingData | undefined;
  readonly onProgress?: ((title: string, done: number, total: number) => void) | undefined;
}

/**
 * Brings a plan's weights and data together. The recipe that comes out names the commit of weights on a hub.
 * @throws HubError, CheckpointError for weights; TableError, SplitError, QuarantineError (strict), TrainingDataError for
 *   data; SamplerError; PhantomOptionsError
 */
export async function prepareRun(
  plan: RunPlan,
  { cache, hub = {}, strict = false, examine = examineTrainingData, onProgress }: PrepareOptions,
): Promise<PreparedRun> {
  // a run that goes on has its weights
  const { recipe, notes } = plan.resume
    ? { recipe: plan.recipe, notes: [] }
    : await fetchWeights(plan.recipe, hub);
  const progress = (title: string) => (done: number, total: number) => onProgress?.(title, done, total);
  const path =
    recipe.data.path ?? (await providePhantoms(recipe, { cache, onProgress: progress('drawing phantoms') }));
  const data = await examine(path, recipe, { strict, onProgress: progress('reading') });
  const kept = plan.resume ? plan.run.promptCopy : undefined;
  const zeroshot = await prepareZeroShot(recipe, data, { kept, hub });
  if (recipe.validation.patience !== undefined && data.validation === null) {
    throw new TrainingDataError(
      'validation.patience waits for a better validation, and nothing is held out for validation: ' +
        'set data.validationFraction above 0, or leave patience out.',
    );
  }
  const stages = planStages(recipe, data, plan.lossFile);
  // a resumed run must see the same texts, too
  const digest = zeroshot?.texts
    ? await sha256(`${data.digest} ${zeroshot.texts.prompts.digest}`)
    : data.digest;
  return {
    ...plan,
    recipe,
    notes: [...plan.notes, ...notes],
    data: { ...data, digest },
    stages,
    zeroshot,
    hub,
  };
}
