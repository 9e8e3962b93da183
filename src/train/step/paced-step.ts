import type { Device } from '../../engine/device.js';
import type { RequestedProfile } from '../live/requested-profile.js';
import type { StepBatch, StepProgram, StepScalars } from './step-program.js';
import { SubmitPace } from './submit-pace.js';

/** The training step as the loop runs it. */
export interface StepRunner {
  /** Submits step number `step` of the run (from 0), once the device has room for it. */
  submit(batch: StepBatch, step: number): Promise<void>;
  /** After so many further submits, the scalars of a step are there without a wait. */
  readonly ahead: number;
  /** See `StepProgram.scalars`. */
  scalars(steps: number): Promise<StepScalars[]>;
}

/**
 * A step program that is handed to its device no faster than the device works. The commands of a step are recorded before
 * its turn, while the device computes the steps before it.
 */
export class PacedStep implements StepRunner {
  readonly #program: StepProgram;
  readonly #pace: SubmitPace;
  readonly #asked: RequestedProfile | undefined;

  /** @param asked for steps that are profiled when somebody wishes it */
  constructor(device: Device, program: StepProgram, asked?: RequestedProfile) {
    this.#program = program;
    this.#pace = new SubmitPace(device);
    this.#asked = asked;
  }

  get ahead(): number {
    return this.#pace.ahead;
  }

  async submit(batch: StepBatch, step: number): Promise<void> {
    const asked = this.#asked?.take() ? this.#asked : undefined;
    const recorded = asked ? undefined : this.#program.record();
    await this.#pace.turn();
    if (recorded) recorded.submit(batch, step);
    else await asked?.done(step, await this.#program.profile(batch, step));
    this.#pace.submitted();
  }

  scalars(steps: number): Promise<StepScalars[]> {
    return this.#program.scalars(steps);
  }
}
