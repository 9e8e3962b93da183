import type { z } from 'zod';
import {
  type FlatUpdateRule,
  flatUpdate,
  hyperLength,
  packHyper,
} from '../../kernels/optimizer/flat-update.js';
import type { Optimizer, UpdateMoment } from './optimizer.js';
import { OptimizerError } from './optimizer-error.js';

/**
 * What an optimizer is: its rule in WGSL, the state it keeps, and the host's share of the arithmetic. Everything else —
 * clipping, learning-rate scale and weight decay of each parameter, moving average, f16 copy, saving and resuming, the
 * name on the command line — is common to all and written once.
 *
 * A new optimizer is one file with one `defineOptimizer`; see sgd.ts for the shortest.
 */
export interface OptimizerDefinition<Schema extends z.ZodObject, State extends string, Hyper extends string> {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  /** Parameters with ranges, defaults and descriptions; use `z.strictObject`, so that a misspelt one is refused. */
  readonly parameters: Schema;
  /** See `BoundOptimizer.state`. The WGSL reads and writes `state[i]` under these names. */
  readonly state: readonly State[];
  /**
   * Numbers of a step, which the WGSL reads under these names: learning rate, bias corrections… The host works them out
   * in float64. None may be called as a state is, nor `rate`, `decay`, `gradient` or `updated`.
   */
  readonly hyper: {
    readonly names: readonly Hyper[];
    values(
      parameters: z.output<Schema>,
      moment: Pick<UpdateMoment, 'learningRate' | 'step'>,
    ): Record<Hyper, number>;
  };
  /** WGSL of the update of four elements; see `FlatUpdateRule.wgsl`. */
  wgsl(parameters: z.output<Schema>): string;
  /** Floating-point operations of one element. */
  flops(parameters: z.output<Schema>): number;
}

export function defineOptimizer<Schema extends z.ZodObject, State extends string, Hyper extends string>(
  definition: OptimizerDefinition<Schema, State, Hyper>,
): Optimizer {
  const { name, summary, source, parameters: schema, state, hyper } = definition;
  return {
    name,
    summary,
    source,
    parameters: schema,
    bind(given) {
      const parsed = schema.safeParse(given);
      if (!parsed.success) {
        const reasons = parsed.error.issues.map(({ path, message }) => [...path, message].join(': '));
        throw new OptimizerError(`optimizer "${name}": ${reasons.join('; ')}`);
      }
      const parameters = parsed.data;
      const rule: FlatUpdateRule = {
        name,
        state,
        hyper: hyper.names,
        flops: definition.flops(parameters),
        wgsl: definition.wgsl(parameters),
      };
      return {
        name,
        parameters,
        state,
        hyperLength: hyperLength(rule),
        hyper(moment) {
          const { step } = moment;
          if (!(Number.isInteger(step) && step >= 1)) {
            throw new RangeError(`${name}: the first step is 1, got ${step}`);
          }
          return packHyper(rule, hyper.values(parameters, moment), moment.averageDecay);
        },
        update: (shard) => flatUpdate(rule, shard),
      };
    },
  };
}
