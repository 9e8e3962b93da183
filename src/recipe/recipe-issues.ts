import { z } from 'zod';
import { recipeSchema } from './recipe-schema.js';

/**
 * From a validator's findings to sentences for the person who wrote the recipe: which setting, what is wrong with it,
 * and for an unknown name the known one that was probably meant.
 */

/** One thing wrong with a recipe. */
export interface RecipeIssue {
  /** Keys from the top, e.g. ['optimizer', 'lrr']. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** The findings of a failed parse of `input`, deepest reading of unions, unknown keys one by one. */
export function recipeIssues(error: z.ZodError, input: unknown): RecipeIssue[] {
  return error.issues.flatMap((issue) => explain(issue, [], input));
}

/** `no setting "gamaNeg"; did you mean "gammaNeg"?`, or the known names where none is near. */
export function unknownName(what: string, name: string, known: readonly string[]): string {
  const near = nearestName(name, known);
  if (near !== undefined) return `there is no ${what} "${name}"; did you mean "${near}"?`;
  return `there is no ${what} "${name}"; there are ${known.join(', ')}`;
}

/** The known name with the fewest edits from `name`, if that is few enough to be a slip. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let fewest = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const edits = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (edits < fewest) {
      best = candidate;
      fewest = edits;
    }
  }
  return best;
}

function explain(issue: z.core.$ZodIssue, above: readonly PropertyKey[], input: unknown): RecipeIssue[] {
  const path = [...above, ...issue.path];
  const place = path.map((key) => (typeof key === 'number' ? key : String(key)));
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        path: [...place, key],
        message: unknownName('setting', key, knownKeys(place, input)),
      }));
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
  for (const key of [...place, 'name']) value = isRecord(value) ? value[key] : undefined;
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
    value = isRecord(value) ? value[key] : undefined;
    nodes = alternatives(nodes).flatMap((node) => {
      const child = typeof key === 'number' ? node.items : node.properties?.[key];
      return isSchema(child) ? [child] : [];
    });
  }
  const open = alternatives(nodes).filter((node) => node.properties !== undefined);
  const name = isRecord(value) ? value.name : undefined;
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
  return isRecord(value);
}

function isRecord(value: unknown): value is Record<string | number, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Levenshtein's distance, with a swap of neighbours counted as one edit (optimal string alignment). */
function editDistance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const above = rows[i - 1] ?? [];
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min((above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (above[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, (rows[i - 2]?.[j - 2] ?? 0) + 1);
      }
      row.push(cost);
    }
    rows.push(row);
  }
  return rows[a.length]?.[b.length] ?? 0;
}
