import type { Device } from '../../engine/device.js';
import type { PlannedBytes } from '../../engine/plan/plan.js';
import { measureRoofline, type Roofline } from '../../engine/roofline.js';
import type { PlanRow } from '../../engine/run/build.js';
import { medianTimes, type OpTime, Profiler } from '../../engine/run/profile.js';
import type { HostCost } from '../../engine/run/program.js';
import type { InferenceProgram } from '../../predict/inference-program.js';
import type { StepProgram } from './step-program.js';

/**
 * Where the time of a program goes, op by op on the device and part by part on the host, measured while it does its
 * work: what `--explain` shows.
 */
export interface Explanation {
  /** In the order in which they run; without times where the adapter has no timestamps or the run was too short. */
  readonly ops: readonly PlanRow[] | readonly OpTime[];
  /** Runs that the ops' times are the medians of. */
  readonly profiledRuns: number;
  /** Means of so many ordinary training steps; null where none was watched. */
  readonly step: StepTimes | null;
  readonly bytes: PlannedBytes;
  /** What the adapter can do, measured right after the profiled runs. */
  readonly roofline: Roofline;
}

/** Milliseconds of the host in a training step; the parts add up to the whole but for what is too small to name. */
export interface StepTimes extends HostCost {
  readonly steps: number;
  readonly stepMs: number;
  /** Waiting for a batch that is still being decoded. */
  readonly batchMs: number;
  /** Waiting until the device is done with the step before the last. */
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

/** Runs that are profiled, after a first one that is not. */
const PROFILED = 5;
/** Steps after the profiled ones until submits and waits are in step again, and the number then watched. */
const SETTLING = 2;
const WATCHED = 20;

/** Goes along with the first steps of a session: some are profiled, then some ordinary ones are watched. */
export class StepExplainer {
  readonly #device: Device;
  readonly #program: StepProgram;
  readonly #onDone: (explanation: Explanation) => void;
  readonly #profiles: OpTime[][] = [];
  readonly #watched: WatchedStep[] = [];
  #step = { ...NOTHING };
  #stepStart = 0;
  #lapStart = 0;
  /** Steps that were not profiled: one before those that were, the others after them. */
  #ordinary = 0;
  #done = false;

  constructor(device: Device, program: StepProgram, onDone: (explanation: Explanation) => void) {
    this.#device = device;
    this.#program = program;
    this.#onDone = onDone;
  }

  /** Whether the next step is to be profiled: not the session's first, whose memory is new. */
  get profiles(): boolean {
    const fewer = this.#profiles.length < PROFILED && !this.#done;
    return fewer && this.#ordinary > 0 && Profiler.supported(this.#device);
  }

  /** A step begins, with the wait for its batch. */
  begin(): void {
    this.#step = { ...NOTHING };
    this.#stepStart = performance.now();
    this.#lapStart = this.#stepStart;
  }

  /** The time since the last lap (or the submit) belongs to this part. */
  lap(part: 'batchMs' | 'deviceMs' | 'scalarsMs'): void {
    const now = performance.now();
    this.#step[part] = now - this.#lapStart;
    this.#lapStart = now;
  }

  submitted(cost: HostCost): void {
    Object.assign(this.#step, cost);
    this.#ordinary++;
    this.#lapStart = performance.now();
  }

  profiled(times: OpTime[]): void {
    this.#profiles.push(times);
  }

  /** Explains, once enough was seen; then the next step begins. */
  async endStep(): Promise<void> {
    const stepMs = performance.now() - this.#stepStart;
    if (this.#ordinary > 1 + SETTLING) this.#watched.push({ ...this.#step, stepMs });
    if (this.#watched.length === WATCHED) await this.finish();
    this.begin();
  }

  /** Explains by what was seen, unless that has been done. */
  async finish(): Promise<void> {
    if (this.#done) return;
    this.#done = true;
    const profiledRuns = this.#profiles.length;
    await this.#device.idle();
    this.#onDone({
      ops: profiledRuns > 0 ? medianTimes(this.#profiles) : this.#program.rows,
      profiledRuns,
      step: this.#watched.length > 0 ? means(this.#watched) : null,
      bytes: this.#program.planned,
      roofline: await measureRoofline(this.#device),
    });
  }
}

/** Of scoring one batch: what the pictures show does not matter to the time. */
export async function explainInference(device: Device, program: InferenceProgram): Promise<Explanation> {
  const profiles: OpTime[][] = [];
  if (Profiler.supported(device)) {
    await program.profile();
    while (profiles.length < PROFILED) profiles.push(await program.profile());
  }
  return {
    ops: profiles.length > 0 ? medianTimes(profiles) : program.rows,
    profiledRuns: profiles.length,
    step: null,
    bytes: program.planned,
    roofline: await measureRoofline(device),
  };
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
