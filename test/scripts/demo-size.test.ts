import { expect, test } from 'vitest';
import { demoSize, SCORED, TRAINED } from '../../scripts/demo-size.mjs';
import { resolveRecipe } from '../../src/recipe/recipe.js';
import { surveyModel } from '../../src/train/step/model-survey.js';

/** Best multiply-add rates as `devices --measure` gave them on two idle cores. */
const IDLE = { lavapipe: 117, swiftshader: 66 };

test('lavapipe on two cores does the whole demo', () => {
  expect(demoSize({ kind: 'lavapipe', gflops: IDLE.lavapipe })).toMatchObject({ images: 2000, epochs: 12 });
});

test('SwiftShader on the same cores does a smaller one, in less than two minutes of computing', () => {
  const size = demoSize({ kind: 'swiftshader', gflops: IDLE.swiftshader });
  expect(size).toMatchObject({ images: 1000, epochs: 7 });
  expect(size.seconds).toBeLessThan(120);
});

test('a faster adapter never gets the smaller demo', () => {
  const rates = [1, 5, 20, 40, 60, 80, 100, 1000];
  const images = rates.map((gflops) => demoSize({ kind: 'swiftshader', gflops }).images);
  expect(images).toEqual([...images].sort((a, b) => a - b));
  expect(new Set(images).size).toBeGreaterThan(3);
});

test('the slowest adapter gets the smallest demo, and the time that it really takes', () => {
  const { images, epochs, seconds } = demoSize({ kind: 'swiftshader', gflops: 5 });
  expect({ images, epochs }).toEqual({ images: 600, epochs: 5 });
  expect(seconds).toBeGreaterThan(300);
});

test('the arithmetic of an image is what the recipe costs: a step does three times a forward pass', async () => {
  const { recipe } = await resolveRecipe('recipes/quick.yaml', []);
  const { multiplyAdds } = await surveyModel(recipe.model.arch, { recipe, classes: 30 });
  const gflop = (2 * multiplyAdds) / 1e9;
  expect(Math.abs(SCORED / gflop - 1)).toBeLessThan(0.1);
  expect(Math.abs(TRAINED / (3 * gflop) - 1)).toBeLessThan(0.1);
});
