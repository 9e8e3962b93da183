import { earlierVariants, type Tuning } from '../../engine/choose/tune.js';
import { isLossFile, type LossFile } from '../../recipe/loss-file.js';
import { Trainer } from '../step/trainer.js';
import { type LoopEnd, type LoopObserver, runLoop, type SessionOptions, START } from './loop.js';
import type { Progress } from './saved-state.js';
import { planStages, type Stage } from './stage-plan.js';
import { stageWeights } from './stage-weights.js';

/**
 * One process's work on a run, stage by stage. Each stage has a trainer of its own, since freezing, batch size and loss
 * are compiled into the step. A stage's start is saved before its first step, so a resumed run never goes back over a
 * border, and what a stage starts from is read exactly once.
 */
export interface StagesOptions extends SessionOptions {
  /** Continue what the directory holds, instead of replacing it. */
  readonly resume?: boolean | undefined;
  /**
   * Which kernels a fresh run uses; absent: the rule's. A resumed one keeps those it was begun with, as it would not be
   * the same run otherwise.
   */
  readonly tuning?: Tuning | undefined;
  /** Where the recipe names a file: the loss in it. */
  readonly lossFile?: LossFile | undefined;
  readonly observer?: SessionObserver | undefined;
}

export interface SessionObserver extends LoopObserver {
  /** A stage is on the device; its next step comes next. A run without stages is one stage. */
  onReady?(trainer: Trainer, progress: Progress, stage: Stage): void;
}

export class Session {
  readonly options: StagesOptions;
  readonly #stages: readonly Stage[];
  #stage: Stage;
  #trainer: Trainer;
  /** Of all stages so far: a problem that returns is computed as before. */
  #kernels: Readonly<Record<string, string>>;
  /** Of the stages before this one. */
  #peakBytes: number;

  private constructor(
    options: StagesOptions,
    stages: readonly Stage[],
    begun: { stage: Stage; trainer: Trainer; kernels: Readonly<Record<string, string>>; peakBytes: number },
  ) {
    this.options = options;
    this.#stages = stages;
    this.#stage = begun.stage;
    this.#trainer = begun.trainer;
    this.#kernels = begun.kernels;
    this.#peakBytes = begun.peakBytes;
  }

  /** Compiles the stage that the run is in; writes nothing. @throws as `trainRun` */
  static async open(options: StagesOptions): Promise<Session> {
    const { recipe, data, device, run } = options;
    const stages = planStages(recipe, data);
    const begun = options.resume ? await run.saved.about() : null;
    const stage = stages[(begun?.progress.stage ?? 1) - 1];
    if (stage === undefined) {
      throw new RangeError(`${run.path} was saved in stage ${begun?.progress.stage} of ${stages.length}`);
    }
    const kept = begun?.adapter === device.description ? (begun.kernels ?? {}) : undefined;
    const tuning = kept ? earlierVariants(kept) : options.tuning;
    return new Session(options, stages, {
      stage,
      trainer: await createTrainer(options, stage, tuning),
      kernels: kept ?? {},
      peakBytes: begun?.peakBytes ?? 0,
    });
  }

  get trainer(): Trainer {
    return this.#trainer;
  }

  get stage(): Stage {
    return this.#stage;
  }

  /** Where the run stands before its first step. */
  get start(): Progress {
    return this.#stages.length > 1 ? { ...START, stage: 1 } : START;
  }

  /** See `Trainer.kernels`; of all stages so far. */
  get kernels(): Readonly<Record<string, string>> {
    return { ...this.#kernels, ...this.#trainer.kernels };
  }

  /** Of the stage that took most. */
  get peakBytes(): number {
    return Math.max(this.#peakBytes, this.#trainer.peakBytes);
  }

  /** @param progress that of the trainer's state @throws as `trainRun` */
  async train(progress: Progress): Promise<LoopEnd['status']> {
    const { options } = this;
    let [at, left] = [progress, options.stopAfter];
    for (;;) {
      options.observer?.onReady?.(this.#trainer, at, this.#stage);
      const end = await runLoop({
        ...options,
        stopAfter: left,
        // what takes the time is the first thing to be asked
        explain: options.explain && at === progress,
        trainer: this.#trainer,
        stage: this.#stage,
        progress: at,
        save: (reached) => this.#save(reached),
      });
      const next = this.#stages[this.#stage.number];
      if (end.status === 'stopped' || next === undefined) return end.status;
      left = left === undefined ? undefined : left - end.steps;
      at = await this.#goOn(next, end.progress);
    }
  }

  /** Frees what is on the device; harmless when repeated. */
  close(): void {
    this.#trainer.destroy();
  }

  /** Puts the next stage onto the device in place of this one. */
  async #goOn(stage: Stage, reached: Progress): Promise<Progress> {
    const { run, recipe, tuning } = this.options;
    const weights = await stageWeights(stage, this.#trainer, run);
    this.#kernels = this.kernels;
    this.#peakBytes = this.peakBytes;
    this.#trainer.destroy();
    this.#stage = stage;
    this.#trainer = await createTrainer(this.options, stage, keptFirst(this.#kernels, tuning));
    this.#trainer.state.initialise(weights.parameters, weights.statistics);
    const best = recipe.checkpoint.best === 'any-stage' ? reached.best : null;
    const progress = { ...reached, stage: stage.number, best };
    await this.#save(progress);
    return progress;
  }

  async #save(progress: Progress): Promise<void> {
    const { run, data, device } = this.options;
    await run.saved.save(
      {
        progress,
        data: data.digest,
        adapter: device.description,
        kernels: this.kernels,
        ...(this.#peakBytes > 0 && { peakBytes: this.#peakBytes }),
      },
      this.#trainer.state.contents,
    );
  }
}

function createTrainer(
  { device, data, lossFile }: StagesOptions,
  stage: Stage,
  tuning?: Tuning,
): Promise<Trainer> {
  return Trainer.create(device, {
    recipe: stage.recipe,
    classes: data.classes.length,
    loss: isLossFile(stage.recipe.loss.name) ? lossFile?.loss : undefined,
    statistics: { classCounts: data.positives, samples: data.samples, known: data.known },
    stepsPerEpoch: stage.stepsPerEpoch,
    firstStep: stage.firstStep,
    tuning,
  });
}

/** The variants that the run has had so far; for problems that are new in a stage, those of a fresh run. */
function keptFirst(kernels: Readonly<Record<string, string>>, tuning: Tuning | undefined): Tuning {
  const kept = earlierVariants(kernels);
  if (tuning === undefined) return kept;
  return {
    async variantsFor(nodes, runs) {
      const fresh = await tuning.variantsFor(nodes, runs);
      return new Map([...fresh, ...(await kept.variantsFor(nodes, runs))]);
    },
  };
}
