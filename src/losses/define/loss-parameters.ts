import { z } from 'zod';
import { LossError } from './loss-error.js';

/** What a loss's parameters are, and checking those that a person gave. */

/** A parameter of a loss, for lists. */
export interface ParameterAbout {
  readonly name: string;
  readonly default: unknown;
  readonly description: string;
}

const labelSmoothing = z
  .number()
  .min(0)
  .lt(1)
  .default(0)
  .describe('ε: every known target y becomes y·(1 − ε) + ε/2');

/** Fills in defaults. Throws `LossError` naming what is unknown or out of range. */
export function parseParameters<Schema extends z.ZodType>(
  loss: string,
  schema: Schema,
  { labelSmoothing: smoothing, ...own }: Readonly<Record<string, unknown>>,
): { readonly own: z.output<Schema>; readonly labelSmoothing: number } {
  return {
    own: parse(loss, schema, own),
    labelSmoothing: parse(loss, labelSmoothing, smoothing, ['labelSmoothing']),
  };
}

/** All parameters of a loss, those that every loss has last. */
export function describeParameters(schema: z.ZodType): ParameterAbout[] {
  const { properties = {} } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  const all = { ...properties, labelSmoothing: z.toJSONSchema(labelSmoothing, { io: 'input' }) };
  return Object.entries(all).flatMap(([name, about]) =>
    typeof about === 'object' ? [{ name, default: about.default, description: about.description ?? '' }] : [],
  );
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
