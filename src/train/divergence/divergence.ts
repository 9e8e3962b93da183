import type { StepScalars } from '../step/step-program.js';

/** A step whose loss or gradient was not finite. It changed nothing. */
export interface Divergence extends Pick<StepScalars, 'loss' | 'gradientNorm'> {
  /** Of the run, from 1. */
  readonly step: number;
}

/**
 * The divergence of a step that was not finite; undefined where it was, and where its loss scale was to blame: an overflow
 * at a scale of 1 or more is part of finding the right one, that step was left out and the scale halved.
 */
export function divergenceOf(
  step: number,
  { loss, gradientNorm, lossScale }: StepScalars,
): Divergence | undefined {
  if (Number.isFinite(loss) && Number.isFinite(gradientNorm)) return undefined;
  return lossScale === undefined || lossScale < 1 ? { step, loss, gradientNorm } : undefined;
}
