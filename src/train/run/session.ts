import { earlierVariants, type Tuning } from '../../engine/choose/tune.js';
import type { Device } from '../../engine/device.js';
import { shareNetwork } from '../../recipe/recipe-stages.js';
import type { InitialWeights } from '../../weights/initial-weights.js';
import type { Divergence } from '../divergence/divergence.js';
import { examineDivergence } from '../divergence/examine-divergence.js';
import { decide, describeDivergence, rateFactor } from '../divergence/roll-back.js';
import { RequestedProfile } from '../live/requested-profile.js';
import type { RunRequests } from '../live/run-requests.js';
import { ExplainedStep } from '../step/explained-step.js';
import { PacedStep } from '../step/paced-step.js';
import { Trainer } from '../step/trainer.js';
import { measurePace, type StagePace } from '../trial/stage-pace.js';
import { tidyKept } from './kept-checkpoints.js';
import { type LoopEnd, runLoop, START } from './loop.js';
import type { PreparedRun } from './prepare-run.js';
import { announce, type RunEvent, type RunListener } from './run-event.js';
import type { Progress } from './saved-state.js';
import type { Stage } from './stage-plan.js';
import { stageSeed, weightsBefore, weightsForStage } from './stage-weights.js';
import { DivergedError } from './training-error.js';
import type { FixedTexts } from './zeroshot-run.js';

/**
 * One process's work on a run, stage by stage. Each stage has a trainer of its own, since freezing, batch size and loss
 * are compiled into the step. A stage's start is saved before its first step, so a resumed run never goes back over a
 * border, and what a stage starts from is read exactly once.
 */

/** How a process works on a run. */
export interface SessionOptions {
  readonly device: Device;
  /**
   * Which kernels a fresh run uses; absent: the rule's. A resumed one keeps those it was begun with, as it would not be
   * the same run otherwise.
   */
  readonly tuning?: Tuning | undefined;
  /** When aborted, the step in hand is finished, the state saved, and the run ends as 'stopped'. */
  readonly signal?: AbortSignal | undefined;
  /** Steps of this session after which to stop in the same way. */
  readonly stopAfter?: number | undefined;
  /** What somebody outside wishes while the run goes on. */
  readonly requests?: RunRequests | undefined;
  /** Measure where the time of the session's first steps goes. */
  readonly explain?: boolean | undefined;
  /** Measure each stage's pace before its first step, see stage-pace.ts. */
  readonly measurePace?: boolean | undefined;
  /** Told of everything that happens, one after another. */
  readonly listeners?: readonly RunListener[] | undefined;
  /** Milliseconds that pass, for saves by the clock; absent: the machine's. */
  readonly clock?: (() => number) | undefined;
}

export class Session {
  readonly #prepared: PreparedRun;
  readonly #options: SessionOptions;
  readonly #fixed: FixedTexts | undefined;
  #stage: Stage;
  #trainer: Trainer;
  /** Of all stages so far: a problem that returns is computed as before. */
  #kernels: Readonly<Record<string, string>>;
  /** Of the stages before. */
  #peakBytes: number;
  /** Of the stage, where it is measured. */
  #pace: StagePace | undefined;

  private constructor(
    prepared: PreparedRun,
    options: SessionOptions,
    fixed: FixedTexts | undefined,
    begun: {
      stage: Stage;
      trainer: Trainer;
      kernels: Readonly<Record<string, string>>;
      peakBytes: number;
    },
  ) {
    this.#prepared = prepared;
    this.#options = options;
    this.#fixed = fixed;
    this.#stage = begun.stage;
    this.#trainer = begun.trainer;
    this.#kernels = begun.kernels;
    this.#peakBytes = begun.peakBytes;
  }

  /**
   * Compiles the stage that the run is in; writes nothing.
   * @param fixed for heads that are given embeddings of texts @throws as `trainRun`
   */
  static async open(prepared: PreparedRun, options: SessionOptions, fixed?: FixedTexts): Promise<Session> {
    const { run, stages, resume } = prepared;
    const { device } = options;
    const begun = resume ? await run.saved.about() : null;
    const stage = stages[(begun?.progress.stage ?? 1) - 1];
    if (stage === undefined) {
      throw new RangeError(`${run.path} was saved in stage ${begun?.progress.stage} of ${stages.length}`);
    }
    const kept = begun?.adapter === device.description ? (begun.kernels ?? {}) : undefined;
    if (kept && begun?.residentGroups) device.assume({ residentGroups: begun.residentGroups });
    const tuning = kept ? earlierVariants(kept) : options.tuning;
    const session = new Session(prepared, options, fixed, {
      stage,
      trainer: await createTrainer(device, stage, tuning),
      kernels: kept ?? {},
      peakBytes: begun?.peakBytes ?? 0,
    });
    try {
      await session.#measurePace();
      return session;
    } catch (error) {
      session.close();
      throw error;
    }
  }

  get trainer(): Trainer {
    return this.#trainer;
  }

  get stage(): Stage {
    return this.#stage;
  }

  /** Puts the starting weights of a fresh run in place. @returns notes on them @throws CheckpointError */
  initialise(): Promise<InitialWeights['notes']> {
    return this.#trainer.initialise(this.#given);
  }

  /** Where the run stands before its first step. */
  get start(): Progress {
    return this.#prepared.stages.length > 1 ? { ...START, stage: 1 } : START;
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
    let [at, left] = [progress, this.#options.stopAfter];
    // a run that may go back needs a state to go back to before its first save
    if (this.#rollsBack && (await this.#prepared.run.saved.target()) === null) await this.#save(at);
    for (;;) {
      await this.#announce({
        kind: 'ready',
        trainer: this.#trainer,
        progress: at,
        stage: this.#stage,
        pace: this.#pace,
      });
      // what takes the time is the first thing to be asked
      const end = await this.#trainStage(at, left, this.#options.explain === true && at === progress);
      const next = this.#prepared.stages[this.#stage.number];
      if (end.status === 'stopped' || next === undefined) return end.status;
      left = left === undefined ? undefined : left - end.steps;
      at = await this.#goOn(next, end.progress);
    }
  }

  /** Frees what is on the device; harmless when repeated. */
  close(): void {
    this.#trainer.destroy();
  }

  async #trainStage(progress: Progress, stopAfter: number | undefined, explained: boolean): Promise<LoopEnd> {
    const { device, signal, clock, requests } = this.#options;
    const asked =
      requests &&
      new RequestedProfile(device, requests, (step, ops) => this.#announce({ kind: 'profile', step, ops }));
    const explainer = explained
      ? new ExplainedStep(
          device,
          this.#trainer.step,
          (explanation) => this.#announce({ kind: 'explanation', explanation }),
          asked,
        )
      : undefined;
    let [at, left, steps] = [progress, stopAfter, 0];
    for (;;) {
      const factor = rateFactor(this.#stage, at);
      this.#trainer.step.changeRate((scheduled) => scheduled * factor);
      const end = await runLoop({
        ...this.#prepared,
        stage: this.#stage,
        trainer: this.#trainer,
        step: explainer ?? new PacedStep(device, this.#trainer.step, asked),
        progress: at,
        signal,
        stopAfter: left,
        requests,
        clock,
        save: (reached, between) => this.#save(reached, between),
        announce: async (event) => {
          await this.#announce(event);
          if (event.kind === 'epochBegins') explainer?.begin();
          if (event.kind === 'losses') explainer?.lossesHeard();
        },
      });
      steps += end.steps;
      if (end.divergence === undefined) {
        await explainer?.finish();
        return { ...end, steps };
      }
      at = await this.#goBack(end.divergence, end.progress);
      left = left === undefined ? undefined : Math.max(1, left - end.steps);
    }
  }

  /**
   * What becomes of the run after a step that was not finite, see src/train/divergence.
   * @returns where it stands after a rollback @throws DivergedError where it stops
   */
  async #goBack(divergence: Divergence, reached: Progress): Promise<Progress> {
    const { run } = this.#prepared;
    const [stage, trainer] = [this.#stage, this.#trainer];
    const origin = await examineDivergence({ stage, trainer }, divergence);
    const target = await run.saved.target();
    const decision = decide({ divergence, origin, stage, reached, target });
    const told = describeDivergence(divergence, origin);
    if (decision.action === 'stop') {
      throw new DivergedError(divergence.step, `${told} ${decision.reason}`);
    }
    const { progress, note } = decision;
    await run.saved.rollBack(progress);
    await run.metrics.rewindTo(progress);
    // what is no part of a saved state holds values of the examined step
    trainer.state.clear();
    await trainer.state.restore(run.saved);
    await tidyKept(run, progress);
    await this.#announce({ kind: 'rollback', progress, note: `${told}\n${note}` });
    return progress;
  }

  /** Puts the next stage onto the device in place of this one. */
  async #goOn(stage: Stage, reached: Progress): Promise<Progress> {
    const { run, recipe } = this.#prepared;
    const { device, tuning } = this.#options;
    const { seed } = stage.recipe;
    const before = await weightsBefore(stage, this.#trainer, run);
    const competes = recipe.checkpoint.best === 'any-stage' && shareNetwork(this.#stage.recipe, stage.recipe);
    this.#kernels = this.kernels;
    this.#peakBytes = this.peakBytes;
    this.#trainer.destroy();
    this.#stage = stage;
    this.#trainer = await createTrainer(device, stage, keptFirst(this.#kernels, tuning));
    await this.#measurePace();
    const handOver = { head: stage.head, seed: stageSeed('head', seed, stage.number) };
    const { parameters, statistics, notes } = weightsForStage(this.#trainer.base, before, handOver);
    for (const note of notes) await this.#announce({ kind: 'note', note });
    const weights = { parameters: new Map([...parameters, ...this.#given]), statistics };
    this.#trainer.begin(weights, stageSeed('adapters', seed, stage.number));
    const { kept, best, ...rest } = reached;
    const progress = {
      ...rest,
      stage: stage.number,
      best: competes ? best : null,
      ...(competes && kept && { kept }),
    };
    await this.#save(progress);
    return progress;
  }

  /** Before the stage's state is put in place. */
  async #measurePace(): Promise<void> {
    if (!this.#options.measurePace) return;
    this.#pace = await measurePace(this.#trainer, this.#stage);
  }

  get #rollsBack(): boolean {
    return this.#prepared.recipe.divergence.action === 'rollback';
  }

  /** @param between see `SavedState.save` */
  async #save(progress: Progress, between = false): Promise<void> {
    const { run, digest, stages } = this.#prepared;
    const { device } = this.#options;
    await run.saved.save(
      {
        progress,
        data: digest,
        adapter: device.description,
        kernels: this.kernels,
        residentGroups: device.traits.residentGroups,
        ...(stages.length > 1 && { peakBytes: this.peakBytes }),
      },
      this.#trainer.state.contents,
      between,
    );
    await tidyKept(run, progress);
    await this.#announce({ kind: 'saved', progress });
  }

  /** What the head of the stage is given from outside. */
  get #given(): ReadonlyMap<string, Float32Array> {
    return this.#fixed?.parameters[this.#stage.number - 1] ?? new Map();
  }

  #announce(event: RunEvent): Promise<void> {
    return announce(this.#options.listeners, event);
  }
}

function createTrainer(device: Device, stage: Stage, tuning?: Tuning): Promise<Trainer> {
  const { data } = stage;
  return Trainer.create(device, {
    recipe: stage.recipe,
    classes: data.classes.length,
    prompts: stage.prompts,
    loss: stage.loss,
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
