import { TailrayError } from '../../engine/errors.js';

/** The loss or the gradient became infinite or NaN; names the step and what to try. */
export class DivergedError extends TailrayError {
  constructor(
    readonly step: number,
    loss: number,
    gradientNorm: number,
  ) {
    super(
      `step ${step}: the loss is ${loss} and the gradient's norm ${gradientNorm}; that step changed nothing, and the ` +
        'state before it was saved. Try a lower optimizer.lr, more warm-up, or optimizer.clipNorm=1.',
    );
  }
}

/** A run can't be resumed as it is: the recipe or the data are others than before; names what differs. */
export class ResumeError extends TailrayError {}
