import type { Device } from '../../engine/device.js';
import { type Explanation, explain, PROFILED_RUNS } from '../../engine/run/explanation.js';
import { type OpTime, Profiler } from '../../engine/run/profile.js';
import type { HostCost } from '../../engine/run/program.js';
import type { RequestedProfile } from '../live/requested-profile.js';
import type { StepRunner } from './paced-step.js';
import type { StepBatch, StepProgram, StepScalars } from './step-program.js';
import { SubmitPace } from './submit-pace.js';

/** Where the time of training steps goes: on the device as in any program, and part by part on the host. */
export interface StepExplanation extends Explanation {
  /** Means of so many ordinary training steps; null where none was watched. */
  readonly step: StepTimes | null;
}

/** Milliseconds of the host in a training step; the parts add up to the whole but for what is too small to name. */
export interface StepTimes extends HostCost {
  readonly steps: number;
  readonly stepMs: number;
  /** Waiting for a batch that is still being decoded. */
  readonly batchMs: number;
  /** Waiting until the device has room for another step. */
  readonly deviceMs: number;
  /** Reading and logging losses. */
  readonly scalarsMs: number;
}

type WatchedStep = { -readonly [Part in keyof Omit<StepTimes, 'steps'>]: number };

const NOTHING: WatchedStep = {
  stepMs: 0,
  batchMs: 0,
  deviceMs: 0,
  uploadMs: 0,
  recordMs: 0,
  submitMs: 0,
  scalarsMs: 0,
};

/** Steps after the profiled ones until submits and waits are in step again, and the number then watched. */
const SETTLING = 2;
const WATCHED = 20;

/**
 * Stands in for a `PacedStep` in a session's first steps: some are profiled, then some ordinary ones are watched. A step
 * counts from the submit of the one before it to its own.
 */
export class ExplainedStep implements StepRunner {
  readonly #device: Device;
  readonly #program: StepProgram;
  readonly #pace: SubmitPace;
  readonly #onDone: (explanation: StepExplanation) => Promise<void>;
  readonly #asked: RequestedProfile | undefined;
  readonly #profiles: OpTime[][] = [];
  readonly #watched: WatchedStep[] = [];
  #step = { ...NOTHING };
  #stepStart = 0;
  #scalarsStart = 0;
  /** Steps that were not profiled: one before those that were, the others after them. */
  #ordinary = 0;
  #done = false;

  /** @param asked for further steps that are profiled when somebody wishes it */
  constructor(
    device: Device,
    program: StepProgram,
    onDone: (explanation: StepExplanation) => Promise<void>,
    asked?: RequestedProfile,
  ) {
    this.#device = device;
    this.#program = program;
    this.#pace = new SubmitPace(device);
    this.#onDone = onDone;
    this.#asked = asked;
  }

  /** The next step begins now: for the first of an epoch, with the wait for its batch. */
  begin(): void {
    this.#step = { ...NOTHING };
    this.#stepStart = performance.now();
  }

  get ahead(): number {
    return this.#pace.ahead;
  }

  async submit(batch: StepBatch, step: number): Promise<void> {
    this.#step.batchMs = performance.now() - this.#stepStart - this.#step.scalarsMs;
    const asked = this.#done && this.#asked?.take() ? this.#asked : undefined;
    const recorded = this.#profilesNext || asked ? undefined : this.#program.record();
    const ready = performance.now();
    await this.#pace.turn();
    this.#step.deviceMs = performance.now() - ready;
    if (recorded) this.#watch(recorded.submit(batch, step));
    else if (asked) await asked.done(step, await this.#program.profile(batch, step));
    else this.#profiles.push(await this.#program.profile(batch, step));
    this.#pace.submitted();
    if (this.#watched.length === WATCHED) await this.finish();
    this.begin();
  }

  scalars(steps: number): Promise<StepScalars[]> {
    this.#scalarsStart = performance.now();
    return this.#program.scalars(steps);
  }

  /** The losses that were read last are logged by now. */
  lossesHeard(): void {
    this.#step.scalarsMs = performance.now() - this.#scalarsStart;
  }

  /** Explains by what was seen, unless that has been done. */
  async finish(): Promise<void> {
    if (this.#done) return;
    this.#done = true;
    const explanation = await explain(this.#device, this.#program, this.#profiles);
    await this.#onDone({ ...explanation, step: this.#watched.length > 0 ? means(this.#watched) : null });
  }

  /** Not the session's first, whose memory is new. */
  get #profilesNext(): boolean {
    const fewer = this.#profiles.length < PROFILED_RUNS && !this.#done;
    return fewer && this.#ordinary > 0 && Profiler.supported(this.#device);
  }

  #watch(cost: HostCost): void {
    this.#ordinary++;
    if (this.#done || this.#ordinary <= 1 + SETTLING) return;
    this.#watched.push({ ...this.#step, ...cost, stepMs: performance.now() - this.#stepStart });
  }
}

function means(steps: readonly WatchedStep[]): StepTimes {
  const mean = (part: keyof WatchedStep) => steps.reduce((sum, step) => sum + step[part], 0) / steps.length;
  const parts = Object.keys(NOTHING) as (keyof WatchedStep)[];
  const all = Object.fromEntries(parts.map((part) => [part, mean(part)])) as Record<
    keyof WatchedStep,
    number
  >;
  return { steps: steps.length, ...all };
}
