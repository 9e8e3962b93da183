import type { Device } from '../../engine/device.js';
import type { StepBatch, StepProgram, StepScalars } from './step-program.js';
import { SubmitPace } from './submit-pace.js';

/** The training step as the loop runs it. */
export interface StepRunner {
  /** Submits step number `step` of the run (from 0), once the device has room for it. */
  submit(batch: StepBatch, step: number): Promise<void>;
  /** See `StepProgram.scalars`. */
  scalars(): Promise<StepScalars[]>;
}

/** A step program that is handed to its device no faster than the device works. */
export class PacedStep implements StepRunner {
  readonly #program: StepProgram;
  readonly #pace: SubmitPace;

  constructor(device: Device, program: StepProgram) {
    this.#program = program;
    this.#pace = new SubmitPace(device);
  }

  async submit(batch: StepBatch, step: number): Promise<void> {
    await this.#pace.turn();
    this.#program.run(batch, step);
    this.#pace.submitted();
  }

  scalars(): Promise<StepScalars[]> {
    return this.#program.scalars();
  }
}
