import type { z } from 'zod';
import type { Shape, Tensor } from '../../engine/graph/tensor.js';
import type { Reduction } from '../../kernels/loss/loss-attributes.js';
import type { ClassStatistics } from './class-statistics.js';
import type { ParameterAbout } from './loss-parameters.js';

/** What the rest of tailray sees of a loss, however it was declared. */

/** What every loss says of itself, whatever its form. */
export interface LossAbout<Schema extends z.ZodType> {
  /** As on the command line and in recipes. */
  readonly name: string;
  /** One line for lists of losses. */
  readonly summary: string;
  /** Where the formula comes from. */
  readonly source: string;
  /** Parameters with ranges, defaults and descriptions; use `z.strictObject`, so that a misspelt one is refused. */
  readonly parameters: Schema;
  /** True where a target between 0 and 1 misleads it, so that it refuses mixed pictures (mixup, CutMix). */
  readonly hardLabels?: boolean;
}

/** A registered loss, its parameters' types out of sight. */
export interface Loss {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly parameters: readonly ParameterAbout[];
  /** Fixes the parameters. Throws `LossError` naming the one that is unknown or out of range. */
  bind(parameters: Readonly<Record<string, unknown>>): BoundLoss;
}

/** A loss with its parameters: of single entries (see define-loss.ts), or of a whole batch (see define-batch-loss.ts). */
export type BoundLoss = EntryLoss | BatchLoss;

interface Bound {
  readonly name: string;
  /** All parameters, defaults filled in. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Label smoothing ε, a parameter of every loss: y becomes y·(1−ε) + ε/2. */
  readonly labelSmoothing: number;
  /** Whether it needs labels that are 0 or 1; smoothing, which treats all alike, does no harm. */
  readonly hardLabels: boolean;
  /** Numbers that change in the course of a training, in the order in which the loss takes them; empty where there are none. */
  schedule(moment: Moment): readonly number[];
}

/** A tensor that a loss keeps on the device from step to step. It is all zero at first. */
export interface LossState {
  /** Of its own among those of the loss. */
  readonly name: string;
  readonly shape: Shape;
}

/** Σ over the entries of [N, C] of a function of logit and target. */
export interface EntryLoss extends Bound {
  readonly kind: 'entries';
  /** Beside that of logistic.ts. */
  readonly wgsl: string;
  readonly flops: number;
  /** Whether entries depend on a sum over their row. */
  readonly hasRow: boolean;
  /** Whether the slope leaves a part of the derivative out by intent. */
  readonly partialGradient: boolean;
  /** How many rows of class constants there are. */
  readonly constants: number;
  /** Rows of class constants in the order in which the WGSL takes them; empty where there are none. */
  classConstants(statistics: ClassStatistics): readonly (readonly number[])[];
  /** What an entry adds to its row's sum, in float64, at a target that label smoothing has been applied to. */
  rowTerm(y: number, constants?: readonly number[]): number;
  /** Value and slope in float64, at a target that label smoothing has been applied to. */
  reference(x: number, y: number, given?: EntryContext): ValueAndSlope;
}

export interface ValueAndSlope {
  readonly value: number;
  /** d value / d x */
  readonly slope: number;
}

/** What an entry's value depends on beside logit and target. */
export interface EntryContext {
  /** Class constants of the entry's class. */
  readonly constants?: readonly number[];
  readonly row?: number;
  readonly scheduled?: readonly number[];
}

/** Where a training stands. */
export interface Moment {
  /** Epochs that are complete. */
  readonly epoch: number;
  /** Share of all steps that are done, in [0, 1). */
  readonly progress: number;
}

/** A loss that compares entries with each other, so that it is no sum over them. */
export interface BatchLoss extends Bound {
  readonly kind: 'batch';
  /** What it keeps from step to step, for so many classes; empty where that is nothing. */
  state(classes: number): readonly LossState[];
  /** @returns [1], differentiable with respect to the logits */
  trace(operands: BatchOperands): Tensor;
  /** The same in float64, with nothing kept. Label smoothing has been applied to the targets. */
  reference(batch: LossBatch, given?: ReferenceOptions): LossValue;
}

export interface BatchOperands {
  /** [N, C] f32 */
  readonly logits: Tensor;
  /** [N, C] f32 in [0, 1], label smoothing not applied; NaN is unknown. */
  readonly targets: Tensor;
  readonly reduction: Reduction;
  /** [N] f32, not negative. */
  readonly sampleWeights?: Tensor | undefined;
  /** Of the training labels. */
  readonly statistics: Omit<ClassStatistics, 'classes'>;
  /** [s] f32, what `schedule` gives; absent: the numbers of a training's beginning, for good. */
  readonly scheduled?: Tensor | undefined;
  /** By name, the variables of what it keeps; absent: it has nothing kept, and keeps nothing. */
  readonly state?: ReadonlyMap<string, Tensor> | undefined;
}

/** What a loss in float64 is given beside its batch. */
export interface ReferenceOptions {
  readonly statistics?: Omit<ClassStatistics, 'classes'> | undefined;
  /** The beginning of a training where left out. */
  readonly moment?: Moment | undefined;
}

export interface LossBatch {
  readonly n: number;
  readonly classes: number;
  /** [n, classes] */
  readonly logits: ArrayLike<number>;
  /** [n, classes] in [0, 1]; NaN is unknown. */
  readonly targets: ArrayLike<number>;
  readonly reduction: Reduction;
  /** [n] */
  readonly sampleWeights?: ArrayLike<number> | undefined;
}

export interface LossValue {
  readonly value: number;
  /** d value / d logits, [n, classes]; 0 where the target is unknown. */
  readonly gradient: Float64Array;
}
