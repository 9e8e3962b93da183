import { bindHead, HEADS } from '../models/heads/registry.js';
import { ModelError } from '../models/model-error.js';
import { unknownKeys, unknownName } from './known-names.js';
import type { RecipeIssue } from './recipe-issue.js';
import type { Recipe } from './recipe-schema.js';

type HeadSetting = Recipe['model']['head'];

/**
 * The head of a recipe's model: `head: csra`, or with options `head: {name: csra, lambda: 0.2}`. Which options there are
 * is for the head to say, so they are checked there and its defaults filled in, in the same words as the rest of the
 * recipe.
 */
export function checkHead(given: HeadSetting): { head: HeadSetting } | { issues: RecipeIssue[] } {
  const { name, ...options } = given;
  const head = HEADS.find((candidate) => candidate.name === name);
  const path = ['model', 'head'];
  if (!head) {
    const names = HEADS.map((known) => known.name);
    return { issues: [{ path: [...path, 'name'], message: unknownName('head', name, names) }] };
  }
  const unknown = Object.keys(options).filter((key) => !head.options.includes(key));
  if (unknown.length > 0) {
    const known = ['name', ...head.options];
    return { issues: unknownKeys(unknown, { what: `setting of ${name}`, path, known }) };
  }
  try {
    return { head: bindHead(given).settings };
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    return { issues: [{ path, message: error.message }] };
  }
}
