import type { OpTime } from '../../engine/run/profile.js';
import type { StepExplanation } from '../step/explained-step.js';
import type { Trainer } from '../step/trainer.js';
import type { StagePace } from '../trial/stage-pace.js';
import type { EpochLine, StepLine } from './metrics-line.js';
import type { Progress } from './saved-state.js';
import type { Stage } from './stage-plan.js';

/** News of a run, in the order in which it happens. Steps and epochs count from 1, through all stages. */
export type RunEvent =
  /** Something that the person should know. */
  | { readonly kind: 'note'; readonly note: string }
  /** A step was not finite, and the run is back at a saved state: the steps after it come again. */
  | { readonly kind: 'rollback'; readonly progress: Progress; readonly note: string }
  /** A stage is on the device; its next step comes next. A run without stages is one stage. */
  | {
      readonly kind: 'ready';
      readonly trainer: Trainer;
      readonly progress: Progress;
      readonly stage: Stage;
      /** Where it was measured beforehand. */
      readonly pace?: StagePace | undefined;
    }
  /** The first step of the epoch in this session comes next. */
  | { readonly kind: 'epochBegins'; readonly epoch: number }
  /** A step was submitted. */
  | { readonly kind: 'step'; readonly step: number; readonly epoch: number }
  /** Losses were read, up to that of `step`; `lines` are those of the steps that are logged. */
  | {
      readonly kind: 'losses';
      readonly step: number;
      readonly loss: number;
      readonly lines: readonly StepLine[];
    }
  /** A step that was timed because somebody asked for it, see live/requested-profile.ts; once for each time. */
  | { readonly kind: 'profile'; readonly step: number; readonly ops: readonly OpTime[] }
  | { readonly kind: 'validation'; readonly done: number; readonly total: number }
  /** All validation images of the stage are scored: probabilities [readable images, classes]. The epoch's line follows. */
  | { readonly kind: 'validated'; readonly epoch: number; readonly probabilities: Float32Array }
  /** An epoch is over; its best checkpoint is kept, the run's state is not saved yet. */
  | { readonly kind: 'epoch'; readonly line: EpochLine }
  /** The state is on the disk: a run resumed now goes on from here. */
  | { readonly kind: 'saved'; readonly progress: Progress }
  /** Where the time of the session's first steps went; once a session, where it was asked for. */
  | { readonly kind: 'explanation'; readonly explanation: StepExplanation }
  /** Training is over; the best checkpoint is being scored. */
  | { readonly kind: 'scoring'; readonly done: number; readonly total: number };

/** The run waits for each listener in turn, and ends with an error that one throws. */
export type RunListener = (event: RunEvent) => void | Promise<void>;

/** Tells one listener after another. */
export async function announce<Event>(
  listeners: readonly ((event: Event) => void | Promise<void>)[] | undefined,
  event: Event,
): Promise<void> {
  for (const listener of listeners ?? []) await listener(event);
}
