import { nearestName } from '../../recipe/known-names.js';
import { recipeSettings } from '../../recipe/recipe.js';
import { parseOverride } from '../../recipe/recipe-overrides.js';
import { mapPaths } from '../../recipe/recipe-paths.js';
import type { Recipe } from '../../recipe/recipe-schema.js';
import { stageRecipes } from '../../recipe/recipe-stages.js';
import { lossName } from '../describe-run.js';
import { pathEnds } from '../path-ends.js';
import { ReportError } from '../report-error.js';
import type { RunOutline } from './run-outline.js';

/** Recipes of runs, setting by setting: in which they differ, and which runs have one of a given value. */

export interface DifferingSetting {
  /** `optimizer.lr`, `stages.1.batchSize` */
  readonly setting: string;
  /** In the order of the recipes, as written in YAML; null where a recipe doesn't have the setting. */
  readonly values: readonly (string | null)[];
}

/**
 * Settings that are not the same in all recipes, in the order of the recipes' own. Files and folders are compared by their
 * whole paths and named by as much of the end as tells them apart: where they lay on a machine is nobody's business.
 */
export function differingSettings(recipes: readonly Recipe[]): DifferingSetting[] {
  const paths = new Set<string>();
  for (const recipe of recipes) {
    mapPaths(recipe, (path) => {
      paths.add(path);
      return path;
    });
  }
  const settings = recipes.map(recipeSettings);
  return bySection(settings.flatMap((each) => [...each.keys()])).flatMap((setting): DifferingSetting[] => {
    const values = settings.map((each) => each.get(setting) ?? null);
    if (values.every((value) => value === values[0])) return [];
    const texts = values.map((value) => (value === null ? null : plain(value)));
    const ends = pathEnds(texts.map((text) => text ?? ''));
    const shown = texts.map((text, i) => (text !== null && paths.has(text) ? (ends[i] ?? text) : text));
    return [{ setting, values: shown }];
  });
}

/** Each name once; those of a section side by side, in the order in which sections and names come first. */
function bySection(names: readonly string[]): string[] {
  const distinct = [...new Set(names)];
  const sections = [...new Set(distinct.map(sectionOf))];
  return distinct.sort((a, b) => sections.indexOf(sectionOf(a)) - sections.indexOf(sectionOf(b)));
}

function sectionOf(name: string): string {
  return name.split('.')[0] ?? name;
}

/** JSON as YAML writes it: text without quotes. */
function plain(json: string): string {
  const value: unknown = JSON.parse(json);
  return typeof value === 'string' ? value : json;
}

/** `loss=asl`, `optimizer.lr=0.001`: a run is wanted if a setting of its recipe, or of one of its stages, has the value. */
export interface Condition {
  readonly text: string;
  readonly setting: string;
  /** As JSON. */
  readonly value: string;
}

/** @throws RecipeError for a text that is no `path.to.setting=value` */
export function parseCondition(text: string): Condition {
  const { path, value } = parseOverride(text, '--where');
  return { text, setting: path.join('.'), value: JSON.stringify(value) };
}

/**
 * The runs for which all conditions hold. Where a section has a name, it stands for that: `loss=asl` for `loss.name=asl`.
 * @throws ReportError where no run has such a setting, which is a slip rather than a choice
 */
export function runsWhere(runs: readonly RunOutline[], conditions: readonly Condition[]): RunOutline[] {
  const settings = runs.map(({ recipe }) => (recipe === null ? [] : stageRecipes(recipe).map(namedSettings)));
  const known = new Set(settings.flat().flatMap((each) => [...each.keys()]));
  for (const { text, setting } of conditions) {
    if (known.size === 0 || known.has(setting)) continue;
    const near = nearestName(setting, [...known]);
    const meant = near === undefined ? 'the recipe.yaml of a run has the names.' : `did you mean "${near}"?`;
    throw new ReportError(`--where ${text}: no run has a setting "${setting}"; ${meant}`);
  }
  return runs.filter((_, i) =>
    conditions.every(({ setting, value }) => settings[i]?.some((recipe) => recipe.get(setting) === value)),
  );
}

/** With the names of sections under the sections' own. */
function namedSettings(recipe: Recipe): Map<string, string> {
  const settings = recipeSettings(recipe);
  for (const [setting, value] of [...settings]) {
    const [, section] = /^(.+)\.name$/.exec(setting) ?? [];
    if (section !== undefined) settings.set(section, value);
  }
  settings.set('model', JSON.stringify(recipe.model.arch));
  // of one in a file, without its folder; of a sum, its parts
  return settings.set('loss', JSON.stringify(lossName(recipe)));
}
