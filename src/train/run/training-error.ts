import { TailrayError } from '../../engine/errors.js';

/** The loss or the gradient became infinite or NaN; names the step, where it began, and what to try. */
export class DivergedError extends TailrayError {
  constructor(
    readonly step: number,
    message: string,
  ) {
    super(message);
  }
}

/** A run can't be resumed as it is: the recipe or the data are others than before; names what differs. */
export class ResumeError extends TailrayError {}
