import { z } from 'zod';
import { unknownKeys, unknownName } from './known-names.js';
import { isSection, settingOf } from './merge-recipe.js';
import type { RecipeIssue } from './recipe-issue.js';
import { recipeSchema } from './recipe-schema.js';

/**
 * From a validator's findings to sentences for the person who wrote the recipe: which setting, what is wrong with it,
 * and for an unknown name the known one that was probably meant.
 */

/** The findings of a failed parse of `input`, deepest reading of unions, unknown keys one by one. */
export function recipeIssues(error: z.ZodError, input: unknown): RecipeIssue[] {
  return error.issues.flatMap((issue) => explain(issue, [], input));
}

function explain(issue: z.core.$ZodIssue, above: readonly PropertyKey[], input: unknown): RecipeIssue[] {
  const path = [...above, ...issue.path];
  const place = path.map((key) => (typeof key === 'number' ? key : String(key)));
  switch (issue.code) {
    case 'unrecognized_keys':
      return unknownKeys(issue.keys, { what: 'setting', path: place, known: knownKeys(place, input) });
    case 'invalid_union': {
      const names = namesOf(issue.errors);
      if (names.length > 0) return [unknownAlternative(place, names, input)];
      const branch = likelyBranch(issue.errors);
      if (branch !== undefined) return branch.flatMap((inner) => explain(inner, path, input));
      const expected = issue.errors.flat().map((inner) => expectation(inner));
      return [{ path: place, message: `expected ${[...new Set(expected)].join(' or ')}` }];
    }
    default:
      return [{ path: place, message: lowerFirst(issue.message) }];
  }
}

/** The names of the alternatives, where each of them was refused for its name. */
function namesOf(branches: readonly z.core.$ZodIssue[][]): string[] {
  const names = branches.map((branch) =>
    branch.flatMap((inner) =>
      inner.code === 'invalid_value' && inner.path.join('.') === 'name' ? inner.values.map(String) : [],
    ),
  );
  return names.every((own) => own.length > 0) ? [...new Set(names.flat())] : [];
}

function unknownAlternative(
  place: readonly (string | number)[],
  names: readonly string[],
  input: unknown,
): RecipeIssue {
  let value: unknown = input;
  for (const key of [...place, 'name']) value = valueAt(value, key);
  const message =
    typeof value === 'string'
      ? unknownName(String(place.at(-1) ?? 'alternative'), value, names)
      : `expected ${names.join(' or ')}`;
  return { path: [...place, 'name'], message };
}

/** The alternative that was probably meant: the one whose complaints lie deepest and that recognises the name. */
function likelyBranch(branches: readonly z.core.$ZodIssue[][]): z.core.$ZodIssue[] | undefined {
  const score = (branch: readonly z.core.$ZodIssue[]) => {
    if (branch.some((inner) => inner.path.length === 0 && inner.code !== 'unrecognized_keys')) return 0;
    return branch.some((inner) => inner.path.at(-1) === 'name') ? 1 : 2;
  };
  const best = branches.reduce<z.core.$ZodIssue[] | undefined>(
    (leader, branch) => (score(branch) > (leader === undefined ? 0 : score(leader)) ? branch : leader),
    undefined,
  );
  return best;
}

function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_value') return issue.values.map((value) => String(value)).join(' or ');
  if (issue.code === 'invalid_type') return issue.expected === 'object' ? 'settings' : issue.expected;
  return lowerFirst(issue.message);
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

type JsonSchema = z.core.JSONSchema.BaseSchema;

/** The recipe's schema as data, made when first needed: it takes a while. */
let described: JsonSchema | undefined;

/** The settings there are at `path`; in a union, those of the alternative that `input` names, else of all. */
function knownKeys(path: readonly (string | number)[], input: unknown): string[] {
  described ??= z.toJSONSchema(recipeSchema, { io: 'input' });
  let nodes = [described];
  let value: unknown = input;
  for (const key of path) {
    value = valueAt(value, key);
    nodes = alternatives(nodes).flatMap((node) => {
      const child = typeof key === 'number' ? node.items : settingOf(node.properties ?? {}, key);
      return isSchema(child) ? [child] : [];
    });
  }
  const open = alternatives(nodes).filter((node) => node.properties !== undefined);
  const name = isSection(value) ? value.name : undefined;
  const named = open.filter((node) => {
    const tag = node.properties?.name;
    return isSchema(tag) && (tag.const === name || (name === undefined && tag.default !== undefined));
  });
  return [
    ...new Set((named.length > 0 ? named : open).flatMap((node) => Object.keys(node.properties ?? {}))),
  ];
}

function alternatives(nodes: readonly JsonSchema[]): JsonSchema[] {
  return nodes.flatMap((node) => {
    const inner = [...(node.anyOf ?? []), ...(node.oneOf ?? [])].filter(isSchema);
    return inner.length > 0 ? alternatives(inner) : [node];
  });
}

function isSchema(value: unknown): value is JsonSchema {
  return isSection(value);
}

function valueAt(value: unknown, key: string | number): unknown {
  return isSection(value) ? settingOf(value, key) : undefined;
}
