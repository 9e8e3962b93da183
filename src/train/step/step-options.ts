import type { Tuning } from '../../engine/choose/tune.js';
import type { ClassStatistics } from '../../losses/define/class-statistics.js';
import type { BoundLoss } from '../../losses/define/loss.js';
import type { ModelDefinition } from '../../models/model.js';
import type { Recipe } from '../../recipe/recipe-schema.js';
import type { Schedule } from './schedule.js';
import type { ImageSource } from './step-images.js';
import type { TrainingStatePlan } from './training-state-plan.js';

/** What a training step is made from. */
export interface StepProgramOptions {
  readonly definition: ModelDefinition;
  /** To run the step, one that has memory: a `TrainingState`. */
  readonly state: TrainingStatePlan;
  readonly recipe: Pick<Recipe, 'loss' | 'optimizer' | 'ema' | 'seed' | 'precision' | 'accumulate'>;
  /** The recipe's, with its parameters. */
  readonly loss: BoundLoss;
  /** Of the training labels, for losses that weigh classes by them. */
  readonly statistics: Omit<ClassStatistics, 'classes'>;
  readonly schedule: Schedule;
  /** For losses that change after some epochs. */
  readonly stepsPerEpoch: number;
  /** The run's step at which schedule, optimizer and average begin; 0 when absent. */
  readonly firstStep?: number | undefined;
  readonly batchSize: number;
  readonly images: ImageSource;
  readonly tuning?: Tuning | undefined;
  /** Bytes that the state and the step may take on the device; see CompileOptions.memory. */
  readonly memory?: number | undefined;
  /**
   * 1, the default: the whole step is one program, unless it adds up several batches. 2: backward and update are programs
   * of their own, for something that stands between them; the results are the same to the last bit.
   */
  readonly submits?: 1 | 2 | undefined;
}
