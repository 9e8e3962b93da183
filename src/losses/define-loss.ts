import { z } from 'zod';
import { LOGISTIC } from './logistic.js';
import { LossError } from './loss-error.js';

/**
 * What a loss is: a formula in WGSL, the same formula in float64, and parameters with defaults. Everything else —
 * reduction, mask, weights, label smoothing, dispatch, the name on the command line, the check of the gradient — is
 * common to all and written once, in the files beside this one.
 *
 * A new loss is one file with one `defineLoss`; see bce.ts for the shortest.
 */
export interface LossDefinition<Schema extends z.ZodType, Constant extends string> {
  /** As on the command line and in recipes. */
  readonly name: string;
  /** One line for lists of losses. */
  readonly summary: string;
  /** Where the formula comes from. */
  readonly source: string;
  /** Parameters with their ranges and defaults; use `z.strictObject`, so that a misspelt one is refused. */
  readonly parameters: Schema;
  /** Numbers that differ between classes, e.g. weights or margins. */
  readonly classConstants?: {
    readonly names: readonly Constant[];
    /** One value a class and name. Throws `LossError` where a statistic is missing. */
    values(parameters: z.output<Schema>, statistics: ClassStatistics): Record<Constant, readonly number[]>;
  };
  /**
   * WGSL of `fn loss(x: f32, y: f32, …) -> vec2f`, whose further arguments are the class constants in the order of
   * their names: the value at logit `x` and target `y` in [0, 1], and its derivative by `x`. `logistic(x)` and
   * `log1p(z)` of logistic.ts are defined. Finite for every finite `x`.
   */
  wgsl(parameters: z.output<Schema>): string;
  /** The same in float64: what the kernel is tested against. */
  reference(
    parameters: z.output<Schema>,
    x: number,
    y: number,
    constants: Readonly<Record<Constant, number>>,
  ): ValueAndSlope;
  /** Floating-point operations of one entry, about. */
  readonly flops: number;
}

export interface ValueAndSlope {
  readonly value: number;
  /** d value / d x */
  readonly slope: number;
}

/** What a loss may want to know of the training labels. */
export interface ClassStatistics {
  readonly classes: number;
  /** n_c: positive labels of each class. */
  readonly classCounts?: readonly number[] | undefined;
  /** N: training images. */
  readonly samples?: number | undefined;
}

/** A registered loss, its parameters' types out of sight. */
export interface Loss {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  /** Fixes the parameters. Throws `LossError` naming the one that is unknown or out of range. */
  bind(parameters: Readonly<Record<string, unknown>>): BoundLoss;
}

/** A loss with its parameters. */
export interface BoundLoss {
  readonly name: string;
  /** All parameters, defaults filled in. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Label smoothing ε, a parameter of every loss: y becomes y·(1−ε) + ε/2. */
  readonly labelSmoothing: number;
  readonly wgsl: string;
  readonly flops: number;
  /** Rows of class constants in the order in which the WGSL takes them; empty where there are none. */
  classConstants(statistics: ClassStatistics): readonly (readonly number[])[];
  /** Value and slope in float64 at a target that label smoothing has been applied to. */
  reference(x: number, y: number, constants?: readonly number[]): ValueAndSlope;
}

const smoothingSchema = z.number().min(0).lt(1).default(0);

export function defineLoss<Schema extends z.ZodType, Constant extends string = never>(
  definition: LossDefinition<Schema, Constant>,
): Loss {
  const { name, summary, source, flops } = definition;
  const names: readonly Constant[] = definition.classConstants?.names ?? [];
  return {
    name,
    summary,
    source,
    bind({ labelSmoothing: smoothing, ...own }) {
      const labelSmoothing = parse(name, smoothingSchema, smoothing, ['labelSmoothing']);
      const parameters = parse(name, definition.parameters, own);
      return {
        name,
        parameters: { ...(parameters as object), labelSmoothing },
        labelSmoothing,
        wgsl: `${LOGISTIC}\n${definition.wgsl(parameters)}`,
        flops,
        classConstants(statistics) {
          const rows = definition.classConstants?.values(parameters, statistics);
          return names.map((constant) =>
            checkRow(name, constant, rows?.[constant] ?? [], statistics.classes),
          );
        },
        reference(x, y, constants = []) {
          const byName = Object.fromEntries(
            names.map((constant, i) => [constant, constants[i] ?? Number.NaN]),
          );
          return definition.reference(parameters, x, y, byName as Record<Constant, number>);
        },
      };
    },
  };
}

/** Positives of each class and the number of images, for losses that cannot do without. */
export function requireCounts(
  loss: string,
  { classes, classCounts, samples }: ClassStatistics,
): { classCounts: readonly number[]; samples: number } {
  if (!classCounts || samples === undefined) {
    throw new LossError(
      `loss "${loss}" with these parameters needs classCounts (positives a class) and samples (images)`,
    );
  }
  if (classCounts.length !== classes) {
    throw new LossError(`loss "${loss}": ${classCounts.length} classCounts for ${classes} classes`);
  }
  const odd = classCounts.findIndex((count) => !(count >= 0 && count <= samples));
  if (odd >= 0) {
    throw new LossError(
      `loss "${loss}": classCounts[${odd}] is ${classCounts[odd]}, must lie between 0 and samples (${samples})`,
    );
  }
  return { classCounts, samples };
}

function parse<Schema extends z.ZodType>(
  loss: string,
  schema: Schema,
  value: unknown,
  prefix: readonly string[] = [],
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const reasons = result.error.issues.map(({ path, message }) => {
    const place = [...prefix, ...path].join('.');
    return place ? `${place}: ${message}` : message;
  });
  throw new LossError(`loss "${loss}": ${reasons.join('; ')}`);
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
