import { dirname, join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import { isSection, mergeRecipe } from '../recipe/merge-recipe.js';
import { parseRecipe } from '../recipe/recipe.js';
import type { Recipe } from '../recipe/recipe-schema.js';
import { parseYaml, readYamlText } from '../recipe/yaml-text.js';
import { CompareError } from './compare-error.js';

/**
 * The plan of a comparison: variants of one recipe, each trained with several seeds, from one YAML file.
 *
 *     base: quick.yaml           # a recipe file beside this one, or a recipe written out here
 *     seeds: [0, 1, 2, 3, 4]     # or how many, from 0 on
 *     baseline: bce              # the variant that the others are held against; absent: the first
 *     losses: [bce, asl]         # a variant each …
 *     samplers: [shuffled, { name: repeat-factor, threshold: 0.02 }] # … times these …
 *     variants:                  # … and others by what they change in the recipe
 *       low-rate: { optimizer: { lr: 0.0005 } }
 */
export interface ComparisonPlan {
  /** Absolute path of the file. */
  readonly path: string;
  readonly variants: readonly string[];
  readonly baseline: string;
  readonly seeds: readonly number[];
  /** Every variant with every seed: all variants of a seed, then the next seed. */
  readonly cells: readonly Cell[];
}

/** One run of a comparison. */
export interface Cell {
  readonly variant: string;
  readonly seed: number;
  /** Name of its run directory. */
  readonly name: string;
  readonly recipe: Recipe;
}

const NAME = /^[\w.+-]+$/;
const choices = z.array(z.union([z.string().min(1), z.looseObject({ name: z.string().min(1) })])).min(1);
const parts = z.array(z.looseObject({ name: z.string().min(1) })).min(1);
const lossChoices = z.array(z.union([...choices.element.options, z.looseObject({ sum: parts })])).min(1);
type Choice = z.output<typeof lossChoices>[number];
const changes = z.record(z.string().regex(NAME), z.union([z.null(), z.record(z.string(), z.unknown())]));

const planSchema = z.strictObject({
  base: z.union([z.string().min(1), z.record(z.string(), z.unknown())]),
  seeds: z
    .union([z.int().min(1).max(1000), z.array(z.int().min(0)).min(1)])
    .default(5)
    .transform((seeds) => (typeof seeds === 'number' ? Array.from({ length: seeds }, (_, i) => i) : seeds)),
  baseline: z.string().optional(),
  losses: lossChoices.optional(),
  samplers: choices.optional(),
  variants: changes.optional(),
});

/**
 * Reads the file and makes a complete recipe of every cell.
 * @param overrides changes to all variants, such as `data.path=my/labels.csv`
 * @throws CompareError for the file itself; RecipeError where a file is no YAML, and for a variant that makes the
 *   recipe invalid, naming the variant
 */
export async function planComparison(
  path: string,
  overrides: readonly string[] = [],
): Promise<ComparisonPlan> {
  const given = planSchema.safeParse(await readYaml(path));
  if (!given.success) {
    const [issue] = given.error.issues;
    throw new CompareError(`${path}: ${issue?.path.join('.') || 'the whole'}: ${issue?.message}.`);
  }
  const { base, seeds, losses, samplers, variants } = given.data;
  if (new Set(seeds).size < seeds.length) throw new CompareError(`${path}: seeds: one is there twice.`);
  const basePath = typeof base === 'string' ? join(dirname(path), base) : path;
  const recipe = typeof base === 'string' ? await readYaml(basePath) : base;
  const changed = new Map<string, unknown>();
  const add = (name: string, change: unknown) => {
    if (changed.has(name)) {
      throw new CompareError(
        `${path}: two variants are called "${name}": put one of them under variants, with a name of its own.`,
      );
    }
    changed.set(name, change);
  };
  for (const [name, change] of grid(losses, samplers)) add(name, change);
  for (const [name, change] of Object.entries(variants ?? {})) add(name, change ?? {});
  const names = [...changed.keys()];
  const [first] = names;
  if (first === undefined || names.length < 2) {
    throw new CompareError(
      `${path}: name at least two things to compare, under losses, samplers or variants.`,
    );
  }
  const baseline = given.data.baseline ?? first;
  if (!changed.has(baseline)) {
    throw new CompareError(
      `${path}: baseline: there is no variant "${baseline}"; there are ${names.join(', ')}.`,
    );
  }
  const cells = seeds.flatMap((seed) =>
    [...changed].map(([variant, change]): Cell => {
      const merged = mergeRecipe(recipe, change);
      const text = stringify({ ...(isSection(merged) ? merged : {}), seed });
      return {
        variant,
        seed,
        name: `${variant}-s${seed}`,
        recipe: parseRecipe(text, {
          path: `${path}, variant ${variant}`,
          overrides,
          folder: dirname(basePath),
        }),
      };
    }),
  );
  return { path: resolve(path), variants: names, baseline, seeds, cells };
}

/** Losses × samplers; a name alone where only one kind is listed. */
function* grid(
  losses: z.output<typeof lossChoices> | undefined,
  samplers: z.output<typeof choices> | undefined,
): Generator<[name: string, change: object]> {
  if (!losses && !samplers) return;
  for (const loss of losses ?? [undefined]) {
    for (const sampler of samplers ?? [undefined]) {
      const sections = { ...(loss && { loss: named(loss) }), ...(sampler && { sampler: named(sampler) }) };
      const names = [...(loss ? [loss] : []), ...(sampler ? [sampler] : [])].map(labelOf);
      yield [names.join('+').replace(/[^\w.+-]+/g, '-'), sections];
    }
  }
}

function named(choice: Choice): object {
  return typeof choice === 'string' ? { name: choice } : choice;
}

/** The name; of a sum those of its parts, `bce+smooth-ap`. */
function labelOf(choice: Choice): string {
  if (typeof choice === 'string') return choice;
  const { sum } = z.object({ sum: parts }).safeParse(choice).data ?? {};
  return sum?.map(({ name }) => name).join('+') ?? String(choice.name);
}

async function readYaml(path: string): Promise<unknown> {
  return parseYaml(await readYamlText(path, 'there is no such file'), path).value ?? {};
}
