import { earlierVariants } from '../../engine/choose/tune.js';
import { isLossFile } from '../../recipe/loss-file.js';
import { lossOf } from '../../recipe/recipe-loss.js';
import { stageRecipes } from '../../recipe/recipe-stages.js';
import type { InitialWeights } from '../../weights/initial-weights.js';
import type { Trainer } from '../step/trainer.js';
import { checkLossFile } from './check-loss-file.js';
import { finishRun, type RunSummary, stoppedSummary } from './finish-run.js';
import { START } from './loop.js';
import type { Progress } from './saved-state.js';
import { Session, type SessionObserver, type StagesOptions } from './session.js';
import { ResumeError } from './training-error.js';

/**
 * A whole run, from examined data to summary.json: what the command `train` does, for callers with a device of their
 * own. Until the network stands compiled on the device, nothing is written.
 */
export interface TrainRunOptions extends StagesOptions {
  readonly observer?: TrainRunObserver | undefined;
}

export interface TrainRunObserver extends SessionObserver {
  /** Something that the person should know. */
  onNote?(note: string): void;
  /** Training is over; the best checkpoint is being scored. */
  onScoring?(done: number, total: number): void;
}

/**
 * Trains, validates, keeps the best checkpoint, and scores it on the validation and test parts.
 * @throws LossError, DivergedError, ResumeError, CheckpointError, StorageError, ModelError, SamplerError, TrainingDataError, and
 *   what the device reports
 */
export async function trainRun(options: TrainRunOptions): Promise<RunSummary> {
  await checkOwnLoss(options);
  const session = await Session.open(options);
  let release = async () => {};
  try {
    const fresh = options.resume ? null : await session.trainer.initialise();
    release = await options.run.lock();
    const summary = await trainAndScore(options, session, fresh);
    await options.run.writeSummary(summary);
    return summary;
  } finally {
    session.close();
    await release();
  }
}

/** The loss of a file, with the parameters of each stage that uses it. @throws LossError */
async function checkOwnLoss({ device, recipe, data, lossFile, observer }: TrainRunOptions): Promise<void> {
  if (!lossFile) return;
  const statistics = { classCounts: data.positives, samples: data.samples, known: data.known };
  const losses = stageRecipes(recipe).flatMap(({ loss }) => (isLossFile(loss.name) ? [loss] : []));
  for (const text of new Set(losses.map((loss) => JSON.stringify(loss)))) {
    const bound = lossOf(JSON.parse(text), lossFile.loss);
    const about = { path: lossFile.path, bound, statistics, classNames: data.classes };
    observer?.onNote?.(await checkLossFile(device, about));
  }
}

/** @param fresh what the trainer said of its starting weights; null to go on with the run in the directory */
async function trainAndScore(
  options: TrainRunOptions,
  session: Session,
  fresh: InitialWeights['notes'] | null,
): Promise<RunSummary> {
  const { observer, run, recipe, lossFile } = options;
  if (fresh !== null) await run.begin(recipe, lossFile);
  const { progress, notes } =
    fresh === null ? await restore(options, session.trainer) : { progress: session.start, notes: fresh };
  for (const note of notes) observer?.onNote?.(note);
  const status = await session.train(progress);
  // the best checkpoint is scored by the kernels that validated it, at their batch size
  const ended = {
    ...options,
    recipe: { ...recipe, batchSize: session.stage.recipe.batchSize },
    peakBytes: session.peakBytes,
    tuning: earlierVariants(session.kernels),
  };
  // its memory is wanted for the checkpoint that is read back
  session.close();
  if (status === 'stopped') return stoppedSummary(ended);
  return finishRun({ ...ended, onProgress: (done, total) => observer?.onScoring?.(done, total) });
}

interface Beginning {
  readonly progress: Progress;
  readonly notes: InitialWeights['notes'];
}

async function restore({ run, data, device }: TrainRunOptions, trainer: Trainer): Promise<Beginning> {
  const saved = await run.saved.about();
  if (saved === null) {
    const notes = await trainer.initialise();
    await run.metrics.rewindTo(START);
    return { progress: START, notes: [...notes, 'nothing was saved yet: the run starts again.'] };
  }
  if (saved.data !== data.digest) {
    throw new ResumeError(
      `${run.path}: images, labels or the split are others than those the run began with, so it can't go on ` +
        'exactly: restore the data, or begin a new run with another --out.',
    );
  }
  await trainer.state.restore(run.saved);
  await run.metrics.rewindTo(saved.progress);
  const notes = [`resumed after step ${saved.progress.step}.`];
  if (saved.adapter !== device.description) {
    notes.push(
      `WARNING: the run was computed by ${saved.adapter} so far, and goes on with ${device.description}: ` +
        'the last bits will differ from a run in one go.',
    );
  } else if (gone(saved.kernels ?? {}, trainer.kernels)) {
    notes.push(
      'WARNING: this version of tailray lacks kernels that the run was computed with so far: the last bits will ' +
        'differ from a run in one go.',
    );
  }
  return { progress: saved.progress, notes };
}

/** Whether a problem that the run has is computed by another variant than before. */
function gone(before: Readonly<Record<string, string>>, now: Readonly<Record<string, string>>): boolean {
  return Object.entries(before).some(([problem, variant]) => (now[problem] ?? variant) !== variant);
}
