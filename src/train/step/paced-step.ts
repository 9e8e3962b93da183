import type { Device } from '../../engine/device.js';
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

  constructor(device: Device, program: StepProgram) {
    this.#program = program;
    this.#pace = new SubmitPace(device);
  }

  get ahead(): number {
    return this.#pace.ahead;
  }

  async submit(batch: StepBatch, step: number): Promise<void> {
    const recorded = this.#program.record();
    await this.#pace.turn();
    recorded.submit(batch, step);
    this.#pace.submitted();
  }

  scalars(steps: number): Promise<StepScalars[]> {
    return this.#program.scalars(steps);
  }
}
