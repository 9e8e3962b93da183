import { BatchLoader } from '../../data/loader.js';
import { datasetTargets, predictDataset } from '../../predict/predict.js';
import { type MacroScores, macroScores, scoreDataset } from '../../predict/scores.js';
import { writeAdapters } from '../../weights/adapter-file.js';
import { writeCheckpoint } from '../../weights/checkpoint.js';
import type { StepRunner } from '../step/paced-step.js';
import { HISTORY } from '../step/step-program.js';
import type { Trainer } from '../step/trainer.js';
import { checkpointAbout } from './checkpoint-about.js';
import type { EpochLine, StepLine } from './metrics-line.js';
import type { PreparedRun } from './prepare-run.js';
import type { RunEvent } from './run-event.js';
import type { Progress } from './saved-state.js';
import type { Stage } from './stage-plan.js';
import { DivergedError } from './training-error.js';

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
  /** Keeps the trainer's state, to resume from. */
  readonly save: (progress: Progress) => Promise<void>;
  /** Tells the run's listeners; what they keep of the run is durable before the state is saved. */
  readonly announce: (event: RunEvent) => Promise<void>;
}

export interface LoopEnd {
  readonly status: 'finished' | 'stopped';
  readonly progress: Progress;
  /** Steps done by this loop. */
  readonly steps: number;
}

/** Where a fresh run stands. */
export const START: Progress = {
  step: 0,
  epochsClosed: 0,
  epochLoss: { sum: 0, steps: 0 },
  best: null,
};

/**
 * Trains to the end of the stage, or until told to stop; the state is saved either way.
 * @throws DivergedError after saving; StorageError; what the device reports
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
  #epochStart = performance.now();

  constructor(options: LoopOptions) {
    this.#options = options;
    this.#progress = options.progress;
    this.#unread = options.progress.step;
  }

  async run(): Promise<LoopEnd> {
    const status = await this.#trainToTheEnd();
    return { status, progress: this.#progress, steps: this.#steps };
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

  /** The steps of the run's epoch `epoch` (from 0) that are still to do. @returns false when stopped */
  async #trainEpoch(epoch: number): Promise<boolean> {
    const { stage, step: runner, announce } = this.#options;
    const { recipe, data, sampler, stepsPerEpoch } = stage;
    const firstStep = stage.firstStep + (epoch - stage.firstEpoch) * stepsPerEpoch;
    const loader = new BatchLoader({
      dataset: data.train.readable,
      order: sampler.order(epoch),
      batchSize: recipe.batchSize * recipe.accumulate,
      lastBatch: 'drop',
      seed: recipe.seed,
      epoch,
      startBatch: this.#progress.step - firstStep,
      ...(recipe.augment !== false && { augmentation: recipe.augment }),
    });
    await announce({ kind: 'epochBegins', epoch: epoch + 1 });
    for await (const batch of loader) {
      const { step } = this.#progress;
      await runner.submit(batch, step);
      this.#progress = { ...this.#progress, step: step + 1 };
      this.#steps++;
      await announce({ kind: 'step', step: step + 1, epoch: epoch + 1 });
      const full = this.#progress.step - this.#unread === HISTORY;
      if (full || this.#progress.step % recipe.logEvery === 0) await this.#readScalars();
      if (this.#options.signal?.aborted || this.#steps === this.#options.stopAfter) {
        await this.#readScalars();
        await this.#options.save(this.#progress);
        return false;
      }
    }
    await this.#readScalars();
    return true;
  }

  /** Reads loss and gradient norm of the steps since the last call, and logs those that are due. */
  async #readScalars(): Promise<void> {
    const { recipe, trainer, step: runner, announce } = this.#options;
    const scalars = await runner.scalars();
    const lines: StepLine[] = [];
    let diverged: DivergedError | undefined;
    let { sum, steps } = this.#progress.epochLoss;
    for (const [i, { loss, gradientNorm, lossScale }] of scalars.entries()) {
      const step = this.#unread + i + 1;
      const sound = Number.isFinite(loss) && Number.isFinite(gradientNorm);
      if (sound) {
        sum += loss;
        steps++;
      } else if (lossScale === undefined || lossScale < 1) {
        // an overflow at a higher scale is part of finding the right one: that step was left out, and the scale halved
        diverged ??= new DivergedError(step, loss, gradientNorm);
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
    if (diverged) {
      await this.#options.save(this.#progress);
      throw diverged;
    }
  }

  /** Validates, keeps the weights if they are the best, logs and saves. @returns false when stopped */
  async #closeEpoch(epoch: number): Promise<boolean> {
    const { recipe, stage, announce } = this.#options;
    const { validation } = stage.data;
    const last = epoch === stage.endEpoch;
    const due = validation !== null && (last || epoch % recipe.validation.every === 0);
    const scores = due ? await this.#validate() : null;
    if (scores === 'stopped') {
      await this.#options.save(this.#progress);
      return false;
    }
    const best = scores === null ? last && validation === null : isBetter(scores, this.#progress.best);
    if (best) await this.#keep(epoch, scores);
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
    };
    this.#progress = { ...this.#progress, epochsClosed: epoch, epochLoss: START.epochLoss };
    await announce({ kind: 'epoch', line });
    if (ended) await this.#endEarly(epoch);
    if (last || ended || epoch % recipe.checkpoint.every === 0) await this.#options.save(this.#progress);
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

  async #validate(): Promise<MacroScores | 'stopped'> {
    const { stage, trainer, signal, announce } = this.#options;
    const { data } = stage;
    if (data.validation === null) throw new RangeError('there is nothing to validate on');
    const dataset = data.validation.readable;
    try {
      const probabilities = await predictDataset(trainer.inference, dataset, {
        ...(signal && { signal }),
        onProgress: (done, total) => announce({ kind: 'validation', done, total }),
      });
      return macroScores(scoreDataset(probabilities, datasetTargets(dataset), data.classes));
    } catch (error) {
      if (signal?.aborted && error === signal.reason) return 'stopped';
      throw error;
    }
  }

  async #keep(epoch: number, scores: MacroScores | null): Promise<void> {
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
