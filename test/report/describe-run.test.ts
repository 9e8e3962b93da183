import { expect, test } from 'vitest';
import { parseRecipe } from '../../src/recipe/recipe.js';
import { describeLoss, distinguishLosses, lossName } from '../../src/report/describe-run.js';

const read = (loss: string) => parseRecipe(`loss: ${loss}`, { path: 'r.yaml' });

test('a sum of losses is told by its parts', () => {
  const sum = read('{sum: [{name: bce}, {name: auc-margin, weight: 0.5, margin: 2}], reduction: batchmean}');
  expect(lossName(sum)).toBe('bce + 0.5 auc-margin');
  expect(describeLoss(sum)).toBe(
    'bce (posWeight 1, labelSmoothing 0) + 0.5 auc-margin (margin 2, memory 0, labelSmoothing 0), reduction batchmean',
  );
  expect(distinguishLosses([sum, read('{name: bce}')])).toEqual(['bce + 0.5 auc-margin', 'bce']);
  expect(describeLoss(read('{name: focal}'))).toBe('focal (gamma 2, alpha 0.25, labelSmoothing 0)');
});
