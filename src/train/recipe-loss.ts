import { LossError } from '../losses/loss-error.js';
import { registeredLosses } from '../losses/registry.js';
import { type RecipeIssue, unknownName } from './recipe-issues.js';
import type { Recipe } from './recipe-schema.js';

/**
 * The loss section of a recipe: which parameters there are is for the registered loss to say, so they are checked there
 * and its defaults filled in, in the same words as the rest of the recipe.
 */
export function bindLoss({
  name,
  reduction,
  ...given
}: Recipe['loss']): { loss: Recipe['loss'] } | { issues: RecipeIssue[] } {
  const losses = registeredLosses();
  const loss = losses.find((candidate) => candidate.name === name);
  if (loss === undefined) {
    const message = unknownName(
      'loss',
      name,
      losses.map((candidate) => candidate.name),
    );
    return { issues: [{ path: ['loss', 'name'], message }] };
  }
  const known = Object.keys(loss.bind({}).parameters);
  const unknown = Object.keys(given).filter((key) => !known.includes(key));
  if (unknown.length > 0) {
    const all = ['name', 'reduction', ...known];
    return {
      issues: unknown.map((key) => ({
        path: ['loss', key],
        message: unknownName(`setting of ${name}`, key, all),
      })),
    };
  }
  try {
    return { loss: { name, reduction, ...loss.bind(given).parameters } };
  } catch (error) {
    if (!(error instanceof LossError)) throw error;
    return { issues: [{ path: ['loss'], message: error.message }] };
  }
}
