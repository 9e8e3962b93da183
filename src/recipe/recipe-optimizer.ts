import type { BoundOptimizer } from '../optimizers/define/optimizer.js';
import { findOptimizer, registeredOptimizers } from '../optimizers/registry.js';
import { unknownKeys, unknownName } from './known-names.js';
import type { RecipeIssue } from './recipe-issue.js';
import { recipeIssues } from './recipe-issues.js';
import { OPTIMIZER_SETTINGS, type Recipe } from './recipe-schema.js';

/**
 * The optimizer section of a recipe: the settings of every optimizer, and its own parameters. Which of these there are is
 * for the optimizer to say, so they are checked by its schema and its defaults filled in, in the same words as the rest of
 * the recipe.
 */
type OptimizerSection = Recipe['optimizer'];

export function bindOptimizer(
  section: OptimizerSection,
): { optimizer: OptimizerSection } | { issues: RecipeIssue[] } {
  const { common, own } = partsOf(section);
  const path = ['optimizer'];
  const optimizers = registeredOptimizers();
  const optimizer = optimizers.find(({ name }) => name === section.name);
  if (!optimizer) {
    const names = optimizers.map(({ name }) => name);
    return {
      issues: [{ path: [...path, 'name'], message: unknownName('optimizer', section.name, names) }],
    };
  }
  const known = Object.keys(optimizer.parameters.shape);
  const unknown = Object.keys(own).filter((key) => !known.includes(key));
  if (unknown.length > 0) {
    const all = [...OPTIMIZER_SETTINGS, ...known];
    return { issues: unknownKeys(unknown, { what: `setting of ${optimizer.name}`, path, known: all }) };
  }
  const parsed = optimizer.parameters.safeParse(own);
  if (parsed.success) return { optimizer: { ...common, ...parsed.data } };
  const issues = recipeIssues(parsed.error, own);
  return { issues: issues.map((issue) => ({ ...issue, path: [...path, ...issue.path] })) };
}

/** The optimizer of a complete section, its parameters fixed. @throws OptimizerError */
export function optimizerOf(section: OptimizerSection): BoundOptimizer {
  return findOptimizer(section.name).bind(partsOf(section).own);
}

/** The settings of every optimizer, and those of this one. */
function partsOf(section: OptimizerSection): { common: OptimizerSection; own: Record<string, unknown> } {
  const isCommon = ([key]: [string, unknown]) => OPTIMIZER_SETTINGS.includes(key);
  const entries = Object.entries(section);
  return {
    common: Object.fromEntries(entries.filter(isCommon)) as OptimizerSection,
    own: Object.fromEntries(entries.filter((entry) => !isCommon(entry))),
  };
}
