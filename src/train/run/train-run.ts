import { earlierVariants } from '../../engine/choose/tune.js';
import { isLossFile } from '../../recipe/loss-file.js';
import { WORDS } from '../../recipe/recipe-zeroshot.js';
import type { InitialWeights } from '../../weights/initial-weights.js';
import { checkLossFile } from './check-loss-file.js';
import { finishRun, type RunSummary, stoppedSummary } from './finish-run.js';
import { START } from './loop.js';
import type { PreparedRun } from './prepare-run.js';
import { announce, type RunListener } from './run-event.js';
import type { Progress } from './saved-state.js';
import { Session, type SessionOptions } from './session.js';
import { ResumeError } from './training-error.js';
import { embedFixedTexts, type FixedTexts } from './zeroshot-run.js';

/**
 * A whole run, from prepared data to summary.json: what the command `train` does, for callers with a device of their own.
 * Until the network stands compiled on the device, nothing is written.
 */

/**
 * Trains, validates, keeps the best checkpoint, and scores it on the validation and test parts.
 * @throws LossError, DivergedError, ResumeError, CheckpointError, StorageError, ModelError, and what the device reports
 */
export async function trainRun(prepared: PreparedRun, options: SessionOptions): Promise<RunSummary> {
  const { run, resume, notes } = prepared;
  // the log comes first: nobody hears of a line that is not on disk, and no state is saved before it
  const log: RunListener = (event) => run.metrics.listen(event);
  const work = { ...options, listeners: [log, ...(options.listeners ?? [])] };
  for (const note of notes) await announce(work.listeners, { kind: 'note', note });
  await checkOwnLoss(prepared, work);
  const fixed = await fixedTexts(prepared, work);
  const session = await Session.open(prepared, work, fixed);
  let release = async () => {};
  try {
    const fresh = resume ? null : await session.initialise();
    release = await run.lock();
    const summary = await trainAndScore(prepared, work, session, { notes: fresh, fixed });
    await run.writeSummary(summary);
    return summary;
  } finally {
    session.close();
    await release();
  }
}

/** The loss of a file, with the parameters of each stage that uses it. @throws LossError */
async function checkOwnLoss(
  { stages, lossFile }: PreparedRun,
  { device, listeners }: SessionOptions,
): Promise<void> {
  if (!lossFile) return;
  const own = stages.filter(({ recipe }) => isLossFile(recipe.loss.name));
  const different = new Map(
    own.map((stage) => [JSON.stringify([stage.recipe.loss, stage.data.path]), stage]),
  );
  for (const { loss: bound, data } of different.values()) {
    const statistics = { classCounts: data.positives, samples: data.samples, known: data.known };
    const about = { path: lossFile.path, bound, statistics, classNames: data.classes };
    await announce(listeners, { kind: 'note', note: await checkLossFile(device, about) });
  }
}

/** What heads are given of texts, where an encoder makes it beforehand. A run that goes on has kept it. */
export async function fixedTexts(
  { recipe, stages, zeroshot, hub, resume, run }: PreparedRun,
  { device }: Pick<SessionOptions, 'device'>,
): Promise<FixedTexts | undefined> {
  if (recipe.zeroshot === undefined || !zeroshot?.texts) return undefined;
  const source = resume ? run.texts : recipe.zeroshot.texts;
  return recipe.zeroshot.texts === WORDS
    ? undefined
    : embedFixedTexts(device, { source, stages }, zeroshot.texts, hub);
}

/** What a run begins with. */
interface Start {
  /** What the trainer said of its starting weights; null to go on with the run in the directory. */
  readonly notes: InitialWeights['notes'] | null;
  readonly fixed: FixedTexts | undefined;
}

async function trainAndScore(
  prepared: PreparedRun,
  work: SessionOptions,
  session: Session,
  { notes: fresh, fixed }: Start,
): Promise<RunSummary> {
  const { run, recipe, lossFile, zeroshot } = prepared;
  if (fresh !== null) {
    await run.begin(recipe, { lossFile, prompts: zeroshot?.texts?.source, texts: fixed?.table });
  }
  const { progress, notes } =
    fresh === null ? await restore(prepared, work, session) : { progress: session.start, notes: fresh };
  for (const note of notes) await announce(work.listeners, { kind: 'note', note });
  const status = await session.train(progress);
  // the best checkpoint is scored by the kernels that validated it, at their batch size
  const ended = {
    ...prepared,
    ...work,
    peakBytes: session.peakBytes,
    tuning: earlierVariants(session.kernels),
  };
  // its memory is wanted for the checkpoint that is read back
  session.close();
  if (status === 'stopped') return stoppedSummary(ended);
  return finishRun({
    ...ended,
    onProgress: (done, total) => announce(work.listeners, { kind: 'scoring', done, total }),
  });
}

interface Beginning {
  readonly progress: Progress;
  readonly notes: InitialWeights['notes'];
}

async function restore(
  { run, digest }: PreparedRun,
  { device }: SessionOptions,
  session: Session,
): Promise<Beginning> {
  const { trainer } = session;
  const saved = await run.saved.about();
  if (saved === null) {
    const notes = await session.initialise();
    await run.metrics.rewindTo(START);
    return { progress: START, notes: [...notes, 'nothing was saved yet: the run starts again.'] };
  }
  if (saved.data !== digest) {
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
