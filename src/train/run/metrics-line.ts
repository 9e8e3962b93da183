/** A training step; one line every `logEvery` steps. What is no number (NaN, infinite) is null. */
export interface StepLine {
  readonly kind: 'step';
  /** Of a run in stages, from 1. */
  readonly stage?: number | undefined;
  /** From 1, through all stages. */
  readonly step: number;
  readonly epoch: number;
  readonly loss: number | null;
  /** L2 norm of the whole gradient before clipping. */
  readonly gradientNorm: number | null;
  readonly learningRate: number;
  /** Of mixed precision: what the gradient started from; null gradientNorm: it overflowed, and the step was left out. */
  readonly lossScale?: number | undefined;
}

/** The end of an epoch. */
export interface EpochLine {
  readonly kind: 'epoch';
  readonly stage?: number | undefined;
  /** From 1, through all stages. */
  readonly epoch: number;
  readonly step: number;
  /** Mean over the epoch's steps. */
  readonly loss: number | null;
  /** Macro means on the validation split; null in an epoch without validation. */
  readonly validation: Readonly<Record<string, number | null>> | null;
  /** Whether its weights became best.safetensors. */
  readonly best: boolean;
  /** Wall-clock time of the epoch in this session. */
  readonly seconds: number;
  /** The part of it in which the steps waited for their batches; absent in runs of before. */
  readonly dataWaitSeconds?: number | undefined;
}

/** The run was not finite, and went back to a saved state; steps and epochs beyond it come again. */
export interface RollbackLine {
  readonly kind: 'rollback';
  /** The last step that counts. */
  readonly step: number;
  /** The step that was not finite. */
  readonly diverged: number;
  /** Of the learning rate, beside those of earlier rollbacks of the stage. */
  readonly factor: number;
}

export type MetricsLine = StepLine | EpochLine | RollbackLine;
