import type { HeadSettings } from '../models/heads/head.js';
import { defineModel } from '../models/model.js';
import { ModelError } from '../models/model-error.js';
import type { RecipeIssue } from './recipe-issue.js';
import type { Recipe } from './recipe-schema.js';
import { stageRecipes } from './recipe-stages.js';

/**
 * Stages that would keep a head which the stage before did not have. A fresh head is never put in its place without a
 * word: its weights would be lost where somebody meant to go on with them.
 * @param recipe complete but for this
 */
export function keptHeadIssues(recipe: Recipe): RecipeIssue[] {
  const stages = stageRecipes(recipe);
  return stages.flatMap((stage, i) => {
    const before = stages[i - 1];
    if (before === undefined || recipe.stages?.[i]?.head === 'reset') return [];
    const difference = headDifference(before, stage);
    if (difference === undefined) return [];
    const message = `the head of the stage before can't be kept: ${difference}; say head: reset to start with a fresh one`;
    return [{ path: ['stages', i, 'head'], message }];
  });
}

function headDifference(before: Recipe, after: Recipe): string | undefined {
  const [old, own] = [before.model.head, after.model.head];
  if (old.name !== own.name) return `it was ${old.name}, and this one is ${own.name}`;
  if (headTensors(before.model.arch, old) !== headTensors(after.model.arch, own))
    return `its settings gave it other weights than this one's`;
  const [theirs, ours] = [before.data.classes, after.data.classes];
  return theirs && ours && theirs.join('\t') !== ours.join('\t')
    ? 'it scores other classes, or in another order'
    : undefined;
}

/** Names and shapes of a head's weights and statistics; of no network where there is none of that name. */
function headTensors(arch: string, head: HeadSettings): string {
  try {
    const { parameters, statistics } = defineModel({ arch, head, classes: 1, prompts: [['finding']] });
    const own = [...parameters, ...statistics].filter(({ group }) => group === 'head');
    return JSON.stringify(own.map(({ name, shape }) => [name, shape]));
  } catch (error) {
    if (error instanceof ModelError) return '';
    throw error;
  }
}
