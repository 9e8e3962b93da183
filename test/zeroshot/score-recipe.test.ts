import { describe, expect, test } from 'vitest';
import { readScoreRecipe } from '../../src/zeroshot/score-recipe.js';
import { bindRules } from '../../src/zeroshot/scoring/scoring-rules.js';
import { temporaryFolder } from '../data/temporary-folder.js';

describe('recipes of scores', () => {
  test('the one of Task 2 is whole, and its rules are rules', async () => {
    const recipe = await readScoreRecipe('recipes/cxrlt2026-task2.yaml');
    expect(recipe).toMatchObject({
      model: 'hf-hub:yyupenn/whyxrayclip',
      classes: ['Scoliosis', 'Osteopenia', 'Bulla', 'Infarction', 'Adenopathy', 'goiter'],
      window: { kind: 'percentile', low: 0.5, high: 99.5 },
    });
    expect(bindRules(recipe.rules ?? []).map(({ rule }) => rule.name)).toEqual(['mean', 'sigmoid']);
  });

  test.each([
    ['model: a\nrule: [mean]', /s\.yaml, line 2: rule: there is no setting "rule"; did you mean "rules"/],
    ['rules: [mean]', /s\.yaml: model: /],
    ['model: a\ntta: twice', /s\.yaml, line 2: tta: /],
    ['model: a\nwindow: {kind: narrow}', /line 2: window/],
  ])('refuses %s', async (text, message) => {
    const folder = await temporaryFolder({ 's.yaml': text });
    await expect(readScoreRecipe(`${folder}/s.yaml`)).rejects.toThrow(message);
  });
});
