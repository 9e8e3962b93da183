import type { Device } from '../engine/device.js';
import type { Explanation } from '../engine/run/explanation.js';
import { type OpTime, Profiler } from '../engine/run/profile.js';
import type { Recipe } from '../recipe/recipe-schema.js';
import { RunMeter } from '../train/live/run-meter.js';
import type { RunRequests } from '../train/live/run-requests.js';
import type { EpochLine, RollbackLine } from '../train/run/metrics-line.js';
import type { RunDirectory } from '../train/run/run-directory.js';
import type { RunEvent } from '../train/run/run-event.js';
import type { Stage } from '../train/run/stage-plan.js';
import type { Trainer } from '../train/step/trainer.js';
import { LoggedSteps } from './logged-steps.js';
import { WatchedImages } from './watched-images.js';

/**
 * All that the live page knows of a run, from the run's events alone; what came before this process is read from
 * metrics.jsonl. Taking an event in costs next to nothing, whoever looks: pages are made of it later, and only where a
 * browser is open.
 */

export type Phase = 'preparing' | 'training' | 'validating' | 'scoring' | 'finished' | 'stopped' | 'failed';

/** Images that are read or scored. */
export interface Doing {
  readonly title: string;
  readonly done: number;
  readonly total: number;
}

export interface Note {
  readonly time: Date;
  readonly text: string;
}

/** Where the time of a step goes, as far as it was asked for. */
export interface StepProfile {
  readonly ops: Explanation['ops'] | readonly OpTime[];
  /** Of which steps it tells. */
  readonly of: string;
}

/** Facts of the stage on the device. */
export interface OnDevice {
  readonly stage: Stage;
  readonly model: Trainer['definition']['config'];
  readonly parameters: number;
  readonly peakBytes: number;
  readonly bytes: Trainer['step']['planned'];
}

/** Notes that are kept. */
const MOST_NOTES = 12;

const WISHES: Readonly<Record<keyof RunRequests, string>> = {
  save: 'Saving after the step in hand …',
  profile: 'Profiling the next step …',
};

/** A part of the page that an event changes. */
export type Changed = 'headline' | 'curves' | 'kernels' | 'predictions' | 'notes';

export class RunState {
  phase: Phase = 'preparing';
  doing: Doing | null = null;
  onDevice: OnDevice | null = null;
  step = 0;
  epoch = 0;
  /** The last that was read. */
  loss: number | null = null;
  profile: StepProfile | null = null;
  watched: WatchedImages | null = null;
  /** Why steps can't be profiled; null where they can. */
  noProfile: string | null = null;
  /** The outcome, in words. */
  end: string | null = null;
  /** What became of a button that was pressed, or is about to. */
  said = '';
  readonly meter = new RunMeter();
  readonly requests: RunRequests = { save: false, profile: false };
  readonly #run: RunDirectory;
  readonly #notes: Note[] = [];
  readonly #asked = new Set<keyof RunRequests>();
  #steps = new LoggedSteps();
  #epochs: EpochLine[] = [];
  #rollbacks: RollbackLine[] = [];

  constructor(
    run: RunDirectory,
    readonly recipe: Recipe,
  ) {
    this.#run = run;
  }

  get path(): string {
    return this.#run.path;
  }

  /** What is drawn of metrics.jsonl. */
  get lines() {
    return { steps: this.#steps.lines, epochs: this.#epochs, rollbacks: this.#rollbacks };
  }

  /** One in so many logged steps is drawn. */
  get drawnEvery(): number {
    return this.#steps.every;
  }

  /** The newest first. */
  get notes(): readonly Note[] {
    return this.#notes;
  }

  /** Whether steps are being done, so that they can be saved, stopped and profiled. */
  get goesOn(): boolean {
    return this.phase === 'training' || this.phase === 'validating' || this.phase === 'scoring';
  }

  /** Passes on what a person wishes. */
  ask(wish: keyof RunRequests): void {
    this.requests[wish] = true;
    this.#asked.add(wish);
    this.said = WISHES[wish];
  }

  note(text: string): void {
    this.#notes.unshift({ time: new Date(), text });
    this.#notes.length = Math.min(this.#notes.length, MOST_NOTES);
  }

  /** The adapter on which the run computes, from now on. */
  uses(device: Device): void {
    if (Profiler.supported(device)) return;
    this.noProfile = 'This adapter has no timestamps, so the time of single kernels can’t be measured.';
  }

  /** Takes an event in. @returns the parts of the page that it changes */
  async hear(event: RunEvent): Promise<readonly Changed[]> {
    switch (event.kind) {
      case 'note':
        this.note(event.note);
        return ['notes'];
      case 'ready':
        await this.#ready(event);
        return ['headline', 'curves', 'kernels', 'predictions', 'notes'];
      case 'rollback':
        this.note(event.note);
        this.step = event.progress.step;
        this.meter.restart(this.step);
        await this.#readLines();
        return ['headline', 'curves', 'notes'];
      case 'epochBegins':
        this.phase = 'training';
        this.doing = null;
        this.epoch = event.epoch;
        return ['headline'];
      case 'step':
        this.step = event.step;
        this.meter.step(event.step);
        return ['headline'];
      case 'losses':
        this.loss = event.loss;
        for (const line of event.lines) this.#steps.add(line);
        return event.lines.length > 0 ? ['headline', 'curves'] : ['headline'];
      case 'profile':
        this.profile = { ops: event.ops, of: `step ${event.step}, timed once` };
        this.said = `Step ${event.step} was profiled.`;
        return ['kernels'];
      case 'explanation':
        this.requests.profile = false;
        this.profile = {
          ops: event.explanation.ops,
          of: `the session’s first steps, medians of ${event.explanation.profiledRuns}`,
        };
        return ['kernels'];
      case 'validation':
        this.phase = 'validating';
        this.doing = { title: 'validation', done: event.done, total: event.total };
        return ['headline'];
      case 'validated':
        this.watched?.validated(event.epoch, event.probabilities);
        return ['predictions'];
      case 'epoch':
        this.#epochs.push(event.line);
        return ['headline', 'curves'];
      case 'saved':
        this.note(`saved after step ${event.progress.step}.`);
        if (this.#asked.delete('save')) this.said = `Saved after step ${event.progress.step}.`;
        return ['notes'];
      case 'scoring':
        this.phase = 'scoring';
        this.doing = {
          title: 'the best checkpoint scores held-out images',
          done: event.done,
          total: event.total,
        };
        return ['headline'];
    }
  }

  async #ready({ trainer, stage, progress }: Extract<RunEvent, { kind: 'ready' }>): Promise<void> {
    const { recipe, data } = stage;
    this.onDevice = {
      stage,
      model: trainer.definition.config,
      parameters: trainer.parameters,
      peakBytes: trainer.peakBytes,
      bytes: trainer.step.planned,
    };
    this.phase = 'training';
    this.doing = null;
    this.step = progress.step;
    this.epoch = Math.min(progress.epochsClosed + 1, stage.run.epochs);
    this.meter.start(progress.step, recipe.batchSize * recipe.accumulate);
    this.watched = data.validation && new WatchedImages(data.validation.readable, recipe.seed);
    await this.#readLines();
  }

  /** The log is complete by now, and holds nothing that comes again. */
  async #readLines(): Promise<void> {
    const lines = await this.#run.metrics.read();
    this.#steps = new LoggedSteps();
    for (const line of lines) if (line.kind === 'step') this.#steps.add(line);
    this.#epochs = lines.filter((line) => line.kind === 'epoch');
    this.#rollbacks = lines.filter((line) => line.kind === 'rollback');
  }
}
