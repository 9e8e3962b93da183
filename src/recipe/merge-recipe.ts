import { SUM } from '../losses/define/sum-of-losses.js';

/**
 * A recipe with changes put over it, both plain data as read from YAML: stages of a recipe and variants of a comparison
 * say only what is different.
 *
 * Sections are merged setting by setting. One that names another alternative (another loss, optimizer, sampler, head) is
 * replaced as a whole, since the old one's settings mean nothing there. Data under another path keep nothing that
 * describes the old table. Lists and single values are replaced.
 */

/** What a section without a `name` is, by its place; the schema's own defaults (a test holds them equal). */
export const UNNAMED: Readonly<Record<string, string>> = {
  loss: 'bce',
  optimizer: 'adamw',
  sampler: 'shuffled',
  'model.head': 'linear',
};

/** Settings of `data` that say what lies under its `path`. */
const OF_TABLE = ['images', 'layout', 'classes', 'imageColumn', 'patientColumn'] as const;

/**
 * @param place of both in the recipe, such as `model.head`; '' for whole recipes
 * @returns a new value; what is shared with `recipe` and `changes` isn't copied
 */
export function mergeRecipe(recipe: unknown, changes: unknown, place = ''): unknown {
  if (place === 'model.head' && (isSection(recipe) || isSection(changes))) {
    [recipe, changes] = [named(recipe), named(changes)];
  }
  if (!isSection(recipe) || !isSection(changes)) return changes === undefined ? recipe : changes;
  const unnamed = settingOf(UNNAMED, place);
  if (unnamed !== undefined) {
    const nameIn = (section: Record<string, unknown>) =>
      place === 'loss' ? lossNameIn(section) : section.name;
    const name = nameIn(recipe) ?? unnamed;
    if ((nameIn(changes) ?? name) !== name) return changes;
  }
  const merged: Record<string, unknown> = { ...recipe };
  if (place === 'data' && changes.path !== undefined && changes.path !== recipe.path) {
    for (const key of OF_TABLE) delete merged[key];
  }
  for (const [key, value] of Object.entries(changes)) {
    merged[key] = mergeRecipe(settingOf(recipe, key), value, place === '' ? key : `${place}.${key}`);
  }
  return merged;
}

/** A head that is said by its name alone, as a section. */
function named(head: unknown): unknown {
  return typeof head === 'string' ? { name: head } : head;
}

/** The name in a loss section; `{sum: [...]}` is that of the loss called sum, which need not be said. */
function lossNameIn(section: Readonly<Record<string, unknown>>): unknown {
  return settingOf(section, 'name') ?? (settingOf(section, SUM) === undefined ? undefined : SUM);
}

/** A loss section with that name said. @param section plain data as read from YAML */
export function nameSum(section: unknown): unknown {
  return isSection(section) && lossNameIn(section) === SUM ? { ...section, name: SUM } : section;
}

export function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What a section itself has under a key, so that `constructor` or `toString` find nothing of JavaScript's. */
export function settingOf<T>(
  section: Readonly<Record<string | number, T>>,
  key: string | number,
): T | undefined {
  return Object.hasOwn(section, key) ? section[key] : undefined;
}
