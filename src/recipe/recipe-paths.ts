import { relative, resolve, sep } from 'node:path';
import { isHubAddress } from '../hub/hub-address.js';
import { isLossFile } from './loss-file.js';
import { isSection, settingOf } from './merge-recipe.js';
import { FROM_RECIPE } from './recipe-schema.js';
import { WORDS } from './recipe-zeroshot.js';

/**
 * The files and folders that a recipe names. A person's recipe names them from the working directory. The recipe that a
 * run directory keeps names them from its own folder and says so (`pathsFrom: recipe`), so that it tells nobody where on a
 * machine it lay, and finds its data after both were moved together. In memory all paths are absolute.
 */

/** The recipe with each of its paths changed. It need not be valid: what is no path where one should be stays. */
export function mapPaths<T>(recipe: T, change: (path: string) => string): T {
  const path = (value: unknown) =>
    typeof value === 'string' && !isPlaceholder(value) ? change(value) : value;
  const loss = (section: unknown) =>
    replace(section, 'name', (name) => (typeof name === 'string' && isLossFile(name) ? change(name) : name));
  const weights = (value: unknown) =>
    typeof value === 'string' && isHubAddress(value) ? value : path(value);
  const texts = (value: unknown) => (value === WORDS ? value : weights(value));
  const data = (section: unknown) => replace(replace(section, 'path', path), 'images', path);
  const stages = (list: unknown) =>
    Array.isArray(list)
      ? list.map((stage: unknown) => replace(replace(stage, 'loss', loss), 'data', data))
      : list;
  const model = (section: unknown) => replace(replace(section, 'weights', weights), 'adapters', path);
  const zeroshot = (section: unknown) => replace(replace(section, 'prompts', path), 'texts', texts);
  const changes = { data, model, loss, stages, zeroshot };
  // strings are put for strings, so the type stays
  return Object.entries(changes).reduce<unknown>(
    (changed, [key, inside]) => replace(changed, key, inside),
    recipe,
  ) as T;
}

/** Whether a path is still to be filled in: `<table of the training images>` in a recipe to start from. */
export function isPlaceholder(path: string): boolean {
  return /^<.+>$/.test(path);
}

/** A recipe as a run directory keeps it. @param folder the run directory */
export function keptIn<T extends object>(
  folder: string,
  recipe: T,
): T & { readonly pathsFrom?: typeof FROM_RECIPE } {
  let named = false;
  const kept = mapPaths(recipe, (path) => {
    named = true;
    return (relative(resolve(folder), resolve(path)) || '.').replaceAll(sep, '/');
  });
  return named ? { ...kept, pathsFrom: FROM_RECIPE } : kept;
}

/** The same recipe as one of a person: its paths absolute, if it says that they start in its folder. */
export function fromFolder(folder: string, recipe: unknown): unknown {
  if (!isSection(recipe) || settingOf(recipe, 'pathsFrom') !== FROM_RECIPE) return recipe;
  const { pathsFrom: _, ...rest } = recipe;
  return mapPaths(rest, (path) => resolve(folder, path));
}

function replace(section: unknown, key: string, change: (value: unknown) => unknown): unknown {
  if (!isSection(section)) return section;
  const value = settingOf(section, key);
  return value === undefined ? section : { ...section, [key]: change(value) };
}
