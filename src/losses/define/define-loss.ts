import type { z } from 'zod';
import type { ClassStatistics } from './class-statistics.js';
import type { Loss, LossAbout, Moment, ValueAndSlope } from './loss.js';
import { LossError } from './loss-error.js';
import { describeParameters, parseParameters } from './loss-parameters.js';

/**
 * What a loss is: a formula in WGSL, the same formula in float64, and parameters with defaults. Everything else —
 * reduction, mask, weights, label smoothing, dispatch, the name on the command line, the check of the gradient — is
 * common to all and written once, in the files beside this one.
 *
 * A new loss is one file with one `defineLoss`; see bce.ts for the shortest.
 */
export interface LossDefinition<Schema extends z.ZodType, Constant extends string, Scheduled extends string>
  extends LossAbout<Schema> {
  /** Numbers that differ between classes, e.g. weights or margins. */
  readonly classConstants?: {
    readonly names: readonly Constant[];
    /** One value a class and name. Throws `LossError` where a statistic is missing. */
    values(parameters: z.output<Schema>, statistics: ClassStatistics): Record<Constant, readonly number[]>;
  };
  /** Numbers that change in the course of a training, e.g. whether classes are weighted by now. */
  readonly schedule?: {
    readonly names: readonly Scheduled[];
    values(parameters: z.output<Schema>, moment: Moment): Record<Scheduled, number>;
  };
  /** A number of each image that depends on all its labels: the sum of a term of each known one. */
  readonly row?: {
    /** WGSL of `fn rowTerm(y: f32, …) -> f32`, whose further arguments are the class constants. */
    wgsl(parameters: z.output<Schema>): string;
    /** The same in float64. */
    reference(parameters: z.output<Schema>, y: number, given: Readonly<Record<Constant, number>>): number;
  };
  /**
   * WGSL of `fn loss(x: f32, y: f32, …) -> vec2f`: the value at logit `x` and target `y` in [0, 1], and its derivative
   * by `x`. Further arguments: the class constants in the order of their names, the row's sum where there is a row
   * term, the scheduled numbers in the order of theirs. `logistic(x)` and `log1p(z)` of logistic.ts are defined. Finite
   * for every finite `x`.
   */
  wgsl(parameters: z.output<Schema>): string;
  /** The same in float64: what the kernel is tested against. @param given class constants, `row`, scheduled numbers */
  reference(
    parameters: z.output<Schema>,
    x: number,
    y: number,
    given: Readonly<Record<Constant | Scheduled | 'row', number>>,
  ): ValueAndSlope;
  /** True where the slope leaves a part of the derivative out by intent, so that it isn't held against differences. */
  partialGradient?(parameters: z.output<Schema>): boolean;
  /** Floating-point operations of one entry, about. */
  readonly flops: number;
}

export function defineLoss<
  Schema extends z.ZodType,
  Constant extends string = never,
  Scheduled extends string = never,
>(definition: LossDefinition<Schema, Constant, Scheduled>): Loss {
  const { name, summary, source, flops, classConstants, schedule, row } = definition;
  const named = (names: readonly string[], values: readonly number[]) =>
    Object.fromEntries(names.map((each, i) => [each, values[i] ?? Number.NaN]));
  return {
    name,
    summary,
    source,
    parameters: describeParameters(definition.parameters),
    bind(given) {
      const { own, labelSmoothing } = parseParameters(name, definition.parameters, given);
      return {
        kind: 'entries',
        name,
        parameters: { ...(own as object), labelSmoothing },
        labelSmoothing,
        hardLabels: definition.hardLabels ?? false,
        wgsl: [...(row ? [row.wgsl(own)] : []), definition.wgsl(own)].join('\n'),
        flops,
        hasRow: row !== undefined,
        constants: classConstants?.names.length ?? 0,
        partialGradient: definition.partialGradient?.(own) ?? false,
        classConstants(statistics) {
          const rows = classConstants?.values(own, statistics);
          return (classConstants?.names ?? []).map((constant) =>
            checkRow(name, constant, rows?.[constant] ?? [], statistics.classes),
          );
        },
        schedule(moment) {
          const values = schedule?.values(own, moment);
          return (schedule?.names ?? []).map((each) => values?.[each] ?? Number.NaN);
        },
        rowTerm(y, constants = []) {
          const byName = named(classConstants?.names ?? [], constants);
          return row?.reference(own, y, byName as Record<Constant, number>) ?? 0;
        },
        reference(x, y, { constants = [], row: sum = 0, scheduled = [] } = {}) {
          const byName = {
            ...named(classConstants?.names ?? [], constants),
            row: sum,
            ...named(schedule?.names ?? [], scheduled),
          };
          return definition.reference(own, x, y, byName as Record<Constant | Scheduled | 'row', number>);
        },
      };
    },
  };
}

function checkRow(
  loss: string,
  constant: string,
  row: readonly number[],
  classes: number,
): readonly number[] {
  if (row.length !== classes) {
    throw new LossError(`loss "${loss}": ${constant} has ${row.length} values for ${classes} classes`);
  }
  const odd = row.findIndex((value) => !Number.isFinite(value));
  if (odd >= 0) throw new LossError(`loss "${loss}": ${constant} of class ${odd} is ${row[odd]}`);
  return row;
}
