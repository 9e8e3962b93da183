import { settingOf } from './merge-recipe.js';
import { RecipeError } from './recipe-error.js';
import { parseYaml } from './yaml-text.js';

/**
 * `--set loss.gammaNeg=4`: one setting of a recipe changed from outside. The value is read as YAML, so numbers, booleans,
 * lists and whole sections work as they do in the file.
 */
export interface Override {
  /** As typed, for messages. */
  readonly text: string;
  readonly path: readonly string[];
  readonly value: unknown;
}

/** Reads `path.to.setting=value`. @param option that it was given with, for messages @throws RecipeError */
export function parseOverride(text: string, option = '--set'): Override {
  const split = text.indexOf('=');
  const path = text
    .slice(0, Math.max(0, split))
    .split('.')
    .map((key) => key.trim());
  if (split < 0 || path.some((key) => key === '')) {
    throw new RecipeError(`${option} ${text}: expected path.to.setting=value, such as optimizer.lr=0.001.`);
  }
  // see yaml-text.ts, which refuses it as a key of a file
  if (path.includes('__proto__')) throw new RecipeError(`${option} ${text}: no setting is called __proto__.`);
  return { text, path, value: parseYaml(text.slice(split + 1), `${option} ${text}: the value`).value };
}

/**
 * A copy of `recipe` (plain data as read from YAML) with the overrides put in, in their order.
 * @throws RecipeError when a path leads into something that holds no settings
 */
export function applyOverrides(recipe: unknown, overrides: readonly Override[]): unknown {
  return overrides.reduce((value, override) => put(value, override, 0), recipe);
}

function put(value: unknown, override: Override, depth: number): unknown {
  const key = override.path[depth];
  if (key === undefined) return override.value;
  if (typeof value !== 'object' && value !== undefined && value !== null) {
    const parent = override.path.slice(0, depth).join('.');
    throw new RecipeError(
      `--set ${override.text}: ${parent} is ${JSON.stringify(value)} in the recipe and has no settings inside; ` +
        `set ${parent} itself, such as ${parent}={${override.path.slice(depth).join(': {')}: …${'}'.repeat(override.path.length - depth)}.`,
    );
  }
  if (Array.isArray(value)) {
    const index = Number(key);
    if (!Number.isInteger(index) || index < 0 || index >= value.length) {
      throw new RecipeError(
        `--set ${override.text}: ${override.path.slice(0, depth).join('.')} is a list of ${value.length}; ` +
          `"${key}" is no place in it.`,
      );
    }
    return value.map((item, i) => (i === index ? put(item, override, depth + 1) : item));
  }
  const record = { ...(value as Record<string, unknown> | null | undefined) };
  record[key] = put(settingOf(record, key), override, depth + 1);
  return record;
}
