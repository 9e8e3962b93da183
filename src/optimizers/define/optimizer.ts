import type { z } from 'zod';
import type { FlatUpdate } from '../../kernels/optimizer/flat-update.js';

/** What the rest of tailray sees of an optimizer, however it was declared. */

/** A registered optimizer, its parameters' types out of sight. */
export interface Optimizer {
  /** As on the command line and in recipes. */
  readonly name: string;
  /** One line for lists of optimizers. */
  readonly summary: string;
  /** Where the rule comes from. */
  readonly source: string;
  /** The parameters that it has beside those of every optimizer (rate, weight decay, clipping…). */
  readonly parameters: z.ZodObject;
  /** Fixes the parameters. Throws `OptimizerError` naming the one that is unknown or out of range. */
  bind(parameters: Readonly<Record<string, unknown>>): BoundOptimizer;
}

/** An optimizer with its parameters. */
export interface BoundOptimizer {
  readonly name: string;
  /** All parameters, defaults filled in. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /**
   * What it remembers of each parameter from step to step, e.g. moments: zero at the start. Names of arenas, and of the
   * files in which a run saves them.
   */
  readonly state: readonly string[];
  /** Elements of the `hyper` operand. */
  readonly hyperLength: number;
  /** Values of the `hyper` operand in a step. A step that was skipped (see `clipFactor`) counts. */
  hyper(moment: UpdateMoment): Float32Array;
  /** Traces the update of one shard, in place. @throws ShapeError where an operand does not fit the shard */
  update(shard: FlatUpdate): void;
}

/** What the host tells an optimizer of a step. */
export interface UpdateMoment {
  /** Of the schedule: parameters have their own factors beside it. */
  readonly learningRate: number;
  /** Number of the update; the first is 1. */
  readonly step: number;
  /** Of the moving average of the parameters; ignored where none is kept. */
  readonly averageDecay: number;
}
