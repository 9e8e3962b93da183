import { join } from 'node:path';
import { datasetTargets, predictDataset } from '../../predict/predict.js';
import { type MacroScores, macroScores, scoreDataset } from '../../predict/scores.js';
import { writeAdapters } from '../../weights/adapter-file.js';
import { writeCheckpoint } from '../../weights/checkpoint.js';
import { type Divergence, divergenceOf } from '../divergence/divergence.js';
import type { RunRequests } from '../live/run-requests.js';
import type { StepRunner } from '../step/paced-step.js';
import { HISTORY } from '../step/step-program.js';
import type { Trainer } from '../step/trainer.js';
import { checkpointAbout } from './checkpoint-about.js';
import { epochBatches } from './epoch-batches.js';
import { type Kept, keptName, withEpoch } from './kept-checkpoints.js';
import type { EpochLine, StepLine } from './metrics-line.js';
import type { PreparedRun } from './prepare-run.js';
import type { RunEvent } from './run-event.js';
import type { Progress } from './saved-state.js';
import type { Stage } from './stage-plan.js';

/**
 * The training loop: epochs of steps, validation, the best checkpoint, and saves to resume from. Where a run stands is
 * a few numbers (`Progress`) and the arenas; everything random is drawn from streams named by seed, epoch and step. So
 * a run that is stopped after any step and resumed goes on as if it had never stopped, bit for bit.
 */

/** A stage to train, from where it stands. */
export interface LoopOptions extends Pick<PreparedRun, 'recipe' | 'run'> {
  readonly stage: Stage;
  readonly trainer: Trainer;
  /** Runs the trainer's step. */
  readonly step: StepRunner;
  readonly progress: Progress;
  /** When aborted, the step in hand is finished, the state saved, and the loop ends as 'stopped'. */
  readonly signal?: AbortSignal | undefined;
  /** Steps after which to stop in the same way. */
  readonly stopAfter?: number | undefined;
  /** What somebody outside wishes. */
  readonly requests?: Pick<RunRequests, 'save'> | undefined;
  /**
   * Keeps the trainer's state, to resume from. @param between whether the recipe's epochs don't ask for it, see
   * `SavedState.save`
   */
  readonly save: (progress: Progress, between?: boolean) => Promise<void>;
  /** Tells the run's listeners; what they keep of the run is durable before the state is saved. */
  readonly announce: (event: RunEvent) => Promise<void>;
  /** Milliseconds that pass; absent: the machine's. */
  readonly clock?: (() => number) | undefined;
}

export interface LoopEnd {
  readonly status: 'finished' | 'stopped' | 'diverged';
  readonly progress: Progress;
  /** Steps done by this loop. */
  readonly steps: number;
  /** The first step that was not finite. Nothing was saved since: the weights may be lost, and the save before is sound. */
  readonly divergence?: Divergence | undefined;
}

/** Where a fresh run stands. */
export const START: Progress = {
  step: 0,
  epochsClosed: 0,
  epochLoss: { sum: 0, steps: 0 },
  best: null,
};

/**
 * Trains to the end of the stage, or until told to stop; the state is saved either way. Or until a step is not finite.
 * @throws StorageError; what the device reports
 */
export async function runLoop(options: LoopOptions): Promise<LoopEnd> {
  return new Loop(options).run();
}

class Loop {
  readonly #options: LoopOptions;
  #progress: Progress;
  /** Steps done in this session. */
  #steps = 0;
  /** The first step whose scalars have not been read. */
  #unread: number;
  /** Steps up to which scalars are due, in order: they are read some steps later, when no wait is left in it. */
  readonly #due: number[] = [];
  #divergence: Divergence | undefined;
  readonly #clock: () => number;
  #savedAt: number;
  #epochStart = performance.now();
  /** Of the epoch, in this session. */
  #dataWaitSeconds = 0;

  constructor(options: LoopOptions) {
    this.#options = options;
    this.#progress = options.progress;
    this.#unread = options.progress.step;
    this.#clock = options.clock ?? (() => performance.now());
    this.#savedAt = this.#clock();
  }

  async run(): Promise<LoopEnd> {
    const ended = await this.#trainToTheEnd();
    const divergence = this.#divergence;
    // the steps after it count for nothing, and must not be taken for those of the next loop
    if (divergence) await this.#options.step.scalars(this.#progress.step - this.#unread);
    const status = divergence ? 'diverged' : ended;
    return { status, progress: this.#progress, steps: this.#steps, ...(divergence && { divergence }) };
  }

  async #trainToTheEnd(): Promise<LoopEnd['status']> {
    const { endEpoch } = this.#options.stage;
    while (this.#progress.epochsClosed < endEpoch) {
      this.#epochStart = performance.now();
      if (!(await this.#trainEpoch(this.#progress.epochsClosed))) return 'stopped';
      if (!(await this.#closeEpoch(this.#progress.epochsClosed + 1))) return 'stopped';
    }
    return 'finished';
  }

  /** The steps of the run's epoch `epoch` (from 0) that are still to do. @returns false when stopped or diverged */
  async #trainEpoch(epoch: number): Promise<boolean> {
    const { stage, step: runner, announce } = this.#options;
    const { recipe, stepsPerEpoch } = stage;
    const firstStep = stage.firstStep + (epoch - stage.firstEpoch) * stepsPerEpoch;
    const loader = epochBatches(stage, epoch, this.#progress.step - firstStep);
    await announce({ kind: 'epochBegins', epoch: epoch + 1 });
    for await (const batch of loader) {
      const { step } = this.#progress;
      await runner.submit(batch, step);
      this.#progress = { ...this.#progress, step: step + 1 };
      this.#steps++;
      await announce({ kind: 'step', step: step + 1, epoch: epoch + 1 });
      const full = step + 1 - (this.#due.at(-1) ?? this.#unread) === HISTORY;
      const logged = (step + 1) % recipe.logEvery === 0;
      if (full || logged) this.#due.push(step + 1);
      if (!(await this.#readScalars(step + 1 - runner.ahead))) return false;
      const stops = this.#options.signal?.aborted || this.#steps === this.#options.stopAfter;
      const due = this.#isSaveDue() || this.#options.requests?.save;
      if ((stops || due) && !(await this.#readAllScalars())) return false;
      if (stops || due) await this.#save({ between: true });
      if (stops) return false;
    }
    this.#dataWaitSeconds = loader.waitedSeconds;
    return this.#readAllScalars();
  }

  /** Whether it is as long since the last save as the recipe allows. */
  #isSaveDue(): boolean {
    const { minutes } = this.#options.stage.recipe.checkpoint;
    return minutes !== undefined && this.#clock() - this.#savedAt >= minutes * 60_000;
  }

  async #save({ between = false } = {}): Promise<void> {
    const { save, requests } = this.#options;
    if (requests) requests.save = false;
    await save(this.#progress, between);
    this.#savedAt = this.#clock();
  }

  /** @returns false where a step was not finite */
  #readAllScalars(): Promise<boolean> {
    const { step } = this.#progress;
    if (step > (this.#due.at(-1) ?? this.#unread)) this.#due.push(step);
    return this.#readScalars(step);
  }

  /**
   * Reads what is due of the steps up to `known`: as many steps at a time, and so as many lines, as if each had been
   * waited for.
   * @returns false where a step was not finite
   */
  async #readScalars(known: number): Promise<boolean> {
    for (let [end] = this.#due; end !== undefined && end <= known; [end] = this.#due) {
      this.#due.shift();
      if (!(await this.#readScalarsTo(end))) return false;
    }
    return true;
  }

  /**
   * Reads loss and gradient norm of the steps since the last call, and logs those that are due.
   * @returns false where a step was not finite
   */
  async #readScalarsTo(end: number): Promise<boolean> {
    const { recipe, trainer, step: runner, announce } = this.#options;
    const scalars = await runner.scalars(end - this.#unread);
    const lines: StepLine[] = [];
    let { sum, steps } = this.#progress.epochLoss;
    for (const [i, read] of scalars.entries()) {
      const { loss, gradientNorm, lossScale } = read;
      const step = this.#unread + i + 1;
      const sound = Number.isFinite(loss) && Number.isFinite(gradientNorm);
      if (sound) {
        sum += loss;
        steps++;
      } else {
        this.#divergence ??= divergenceOf(step, read);
      }
      if (sound && step % recipe.logEvery !== 0) continue;
      lines.push({
        kind: 'step',
        ...this.#stage,
        step,
        epoch: this.#progress.epochsClosed + 1,
        loss: finite(loss),
        gradientNorm: finite(gradientNorm),
        learningRate: trainer.step.learningRate(step - 1),
        ...(lossScale !== undefined && { lossScale }),
      });
    }
    this.#unread += scalars.length;
    this.#progress = { ...this.#progress, epochLoss: { sum, steps } };
    const last = scalars.at(-1);
    if (last) await announce({ kind: 'losses', step: this.#unread, loss: last.loss, lines });
    return this.#divergence === undefined;
  }

  /** Validates, keeps the weights if they are the best, logs and saves. @returns false when stopped */
  async #closeEpoch(epoch: number): Promise<boolean> {
    const { recipe, stage, announce } = this.#options;
    const { validation } = stage.data;
    const last = epoch === stage.endEpoch;
    const due = validation !== null && (last || epoch % recipe.validation.every === 0);
    const scores = due ? await this.#validate(epoch) : null;
    if (scores === 'stopped') {
      await this.#save({ between: true });
      return false;
    }
    const best = scores === null ? last && validation === null : isBetter(scores, this.#progress.best);
    const kept = scores && this.#keptWith(epoch, scores);
    if (best || kept) await this.#keep(epoch, scores, { best, kept });
    const ended = scores !== null && !last && this.#isHopeless(epoch);
    const { sum, steps } = this.#progress.epochLoss;
    const line: EpochLine = {
      kind: 'epoch',
      ...this.#stage,
      epoch,
      step: this.#progress.step,
      loss: steps > 0 ? sum / steps : null,
      validation: scores,
      best,
      seconds: (performance.now() - this.#epochStart) / 1000,
      dataWaitSeconds: this.#dataWaitSeconds,
    };
    this.#progress = { ...this.#progress, epochsClosed: epoch, epochLoss: START.epochLoss };
    await announce({ kind: 'epoch', line });
    if (ended) await this.#endEarly(epoch);
    if (last || ended || epoch % recipe.checkpoint.every === 0) await this.#save();
    return true;
  }

  /** Whether the stage has had no better validation for as long as the recipe waits for one. */
  #isHopeless(epoch: number): boolean {
    const { recipe, firstEpoch } = this.#options.stage;
    const { patience } = recipe.validation;
    const since = epoch - Math.max(this.#progress.best?.epoch ?? 0, firstEpoch);
    return patience !== undefined && since >= patience;
  }

  /** Goes to the stage's end without the epochs that are left of it. */
  async #endEarly(epoch: number): Promise<void> {
    const { recipe, endEpoch, stepsPerEpoch } = this.#options.stage;
    const [epochs, { skipped = { epochs: 0, steps: 0 } }] = [endEpoch - epoch, this.#progress];
    const steps = epochs * stepsPerEpoch;
    this.#progress = {
      ...this.#progress,
      step: this.#progress.step + steps,
      epochsClosed: endEpoch,
      skipped: { epochs: skipped.epochs + epochs, steps: skipped.steps + steps },
    };
    this.#unread = this.#progress.step;
    await this.#options.announce({
      kind: 'note',
      note: `no better validation for ${recipe.validation.patience} epochs: ends after epoch ${epoch} of ${endEpoch}.`,
    });
  }

  async #validate(epoch: number): Promise<MacroScores | 'stopped'> {
    const { stage, trainer, signal, announce } = this.#options;
    const { data } = stage;
    if (data.validation === null) throw new RangeError('there is nothing to validate on');
    const dataset = data.validation.readable;
    try {
      const probabilities = await predictDataset(trainer.inference, dataset, {
        ...(signal && { signal }),
        onProgress: (done, total) => announce({ kind: 'validation', done, total }),
      });
      await announce({ kind: 'validated', epoch, probabilities });
      return macroScores(scoreDataset(probabilities, datasetTargets(dataset), data.classes));
    } catch (error) {
      if (signal?.aborted && error === signal.reason) return 'stopped';
      throw error;
    }
  }

  /** The list of kept epochs with this one; null where it is not among them, or no more than the best are kept. */
  #keptWith(epoch: number, { mAP }: MacroScores): Kept | null {
    const { keep } = this.#options.stage.recipe.checkpoint;
    return keep === 1 ? null : withEpoch(this.#progress.kept ?? [], { epoch, mAP }, keep);
  }

  /** Keeps the weights: as the best, among the kept ones, or as both. */
  async #keep(
    epoch: number,
    scores: MacroScores | null,
    { best, kept }: { readonly best: boolean; readonly kept: Kept | null },
  ): Promise<void> {
    const { recipe, stage, run, trainer } = this.#options;
    const metrics = { mAP: scores?.mAP ?? null, auroc: scores?.auroc ?? null };
    const about = checkpointAbout({
      recipe,
      stage,
      model: trainer.definition.config,
      weights: trainer.validated,
      epoch,
      step: this.#progress.step,
      metrics,
    });
    const { tensors, adapters } = await trainer.results();
    if (kept) {
      await run.files.mkdir(run.keptFolder, { recursive: true });
      await writeCheckpoint(join(run.keptFolder, keptName({ epoch })), { ...about, tensors }, run.files);
      this.#progress = { ...this.#progress, kept };
    }
    if (!best) return;
    await writeCheckpoint(run.best, { ...about, tensors }, run.files);
    if (adapters) await writeAdapters(run.adapters, about, adapters, run.files);
    // those of a stage before belong to other weights
    else await run.files.rm(run.adapters, { force: true, recursive: false });
    this.#progress = { ...this.#progress, best: { epoch, ...metrics } };
  }

  /** For the lines of a run in stages. */
  get #stage(): { stage?: number } {
    const { number, run } = this.#options.stage;
    return run.stages > 1 ? { stage: number } : {};
  }
}

/** A higher macro mAP; where it is undefined, the later weights are kept. */
function isBetter(scores: MacroScores, best: Progress['best']): boolean {
  if (best === null || best.mAP === null) return true;
  return scores.mAP !== null && scores.mAP > best.mAP;
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
