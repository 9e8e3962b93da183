import type { Sampler } from '../data/sampler.js';
import { keptVariants, type Tuning } from '../engine/tune.js';
import { checkLossFile } from './check-loss-file.js';
import { epochSampler } from './epoch-sampler.js';
import { finishRun, type RunSummary, stoppedSummary } from './finish-run.js';
import type { InitialWeights } from './initial-weights.js';
import { type LoopObserver, runLoop, type SessionOptions, START } from './loop.js';
import type { LossFile } from './loss-file.js';
import { lossOf } from './recipe-loss.js';
import type { Progress } from './saved-state.js';
import { Trainer } from './trainer.js';
import { ResumeError } from './training-error.js';

/**
 * A whole run, from examined data to summary.json: what the command `train` does, for callers with a device of their
 * own. Until the network stands compiled on the device, nothing is written.
 */
export interface TrainRunOptions extends SessionOptions {
  /** Where the recipe names a file: the loss in it, which is checked first. */
  readonly lossFile?: LossFile | undefined;
  /** Continue what the directory holds, instead of replacing it. */
  readonly resume?: boolean | undefined;
  /**
   * Which kernels a fresh run uses; absent: the rule's. A resumed one keeps those it was begun with, as it would not be
   * the same run otherwise.
   */
  readonly tuning?: Tuning | undefined;
  readonly observer?: TrainRunObserver | undefined;
}

export interface TrainRunObserver extends LoopObserver {
  /** Everything is on the device; the first step comes next. */
  onReady?(trainer: Trainer, progress: Progress): void;
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
  const { device, recipe, data, run, lossFile } = options;
  const sampler = epochSampler(recipe, data);
  const statistics = { classCounts: data.positives, samples: data.samples, known: data.known };
  if (lossFile) {
    const bound = lossOf(recipe.loss, lossFile.loss);
    const about = { path: lossFile.path, bound, statistics, classNames: data.classes };
    options.observer?.onNote?.(await checkLossFile(device, about));
  }
  const begun = options.resume ? await run.saved.about() : null;
  const trainer = await Trainer.create(device, {
    recipe,
    classes: data.classes.length,
    loss: lossFile?.loss,
    statistics,
    stepsPerEpoch: Math.floor(sampler.length / recipe.batchSize),
    tuning: begun?.adapter === device.description ? keptVariants(begun.kernels ?? {}) : options.tuning,
  });
  let release = async () => {};
  try {
    const fresh = options.resume ? null : await trainer.initialise();
    release = await run.lock();
    const summary = await trainAndScore(options, { trainer, sampler }, fresh);
    await run.writeSummary(summary);
    return summary;
  } finally {
    trainer.destroy();
    await release();
  }
}

/** @param fresh what the trainer said of its starting weights; null to go on with the run in the directory */
async function trainAndScore(
  options: TrainRunOptions,
  { trainer, sampler }: { trainer: Trainer; sampler: Sampler },
  fresh: InitialWeights['notes'] | null,
): Promise<RunSummary> {
  const { observer, run, recipe, lossFile } = options;
  if (fresh !== null) await run.begin(recipe, lossFile);
  const { progress, notes } =
    fresh === null ? await restore(options, trainer) : { progress: START, notes: fresh };
  for (const note of notes) observer?.onNote?.(note);
  observer?.onReady?.(trainer, progress);
  const end = await runLoop({ ...options, trainer, sampler, progress });
  // the best checkpoint is scored by the kernels that validated it
  const ended = { ...options, peakBytes: trainer.peakBytes, tuning: keptVariants(trainer.kernels) };
  // its memory is wanted for the checkpoint that is read back
  trainer.destroy();
  if (end === 'stopped') return stoppedSummary(ended);
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
