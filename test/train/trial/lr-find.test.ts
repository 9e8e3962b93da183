import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Recipe } from '../../../src/recipe/recipe-schema.js';
import { ratePlot } from '../../../src/report/plots/rate-plot.js';
import { RunDirectory } from '../../../src/train/run/run-directory.js';
import { examineTrainingData, type TrainingData } from '../../../src/train/run/training-data.js';
import { testRates } from '../../../src/train/trial/range-test.js';
import {
  type RatePoint,
  type RateRange,
  rateCurve,
  rateOf,
  runsAway,
  smooth,
  suggestRates,
} from '../../../src/train/trial/rate-curve.js';
import { testDevice } from '../../device.js';
import { prepared, tinyRecipe, writeTinyDataset } from '../run/tiny-run.js';

let folder: string;
let data: TrainingData;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailray-lr-find-'));
  data = await examineTrainingData(await writeTinyDataset(folder), tinyRecipe());
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function found(recipe: Recipe, range: RateRange, number = 1) {
  const run = new RunDirectory(join(folder, 'run'));
  const plan = prepared({ recipe, data, run });
  const stage = plan.stages[number - 1]!;
  const test = await testRates(plan, { device: await testDevice(), stage, range });
  // no run
  expect(await readdir(folder)).not.toContain('run');
  return test;
}

describe('a learning-rate range test', () => {
  test('of a tiny network starts flat, falls, and suggests rates that train it', async () => {
    // momentum SGD: Adam's steps are so even that the loss never runs away
    const recipe = tinyRecipe(
      'optimizer.name=sgd',
      'optimizer.clipNorm=false',
      'model.dropRate=0',
      'batchSize=9',
    );
    const range = { from: 1e-6, to: 100, steps: 80 };
    const { points, end } = await found(recipe, range);
    expect(end).not.toBe('all');
    expect(points.length).toBeLessThan(80);
    expect(points.map(({ rate }) => rate)).toEqual(points.map((_, i) => rateOf(range, i)));
    const start = points[0]!.smoothed;
    const flat = points.filter(({ rate }) => rate < 1e-4);
    expect(flat.length).toBeGreaterThan(15);
    for (const { smoothed } of flat) expect(Math.abs(smoothed / start - 1)).toBeLessThan(0.1);
    const { steepest, tenthOfMinimum, minimum } = suggestRates(points)!;
    expect(steepest).toBeGreaterThan(1e-3);
    expect(steepest).toBeLessThan(minimum);
    expect(minimum).toBeLessThan(10);
    expect(tenthOfMinimum).toBeCloseTo(minimum / 10, 12);
    expect(await found(recipe, range)).toEqual({ points, end, notes: [] });
  });

  test('tries the stage that is asked for, with its parameter groups', async () => {
    const recipe = tinyRecipe(
      'stages=[{}, {optimizer: {lr: 0.01, groups: {backbone: {freeze: true}, head: 0.5}}}]',
    );
    const range = { from: 1e-4, to: 1e-1, steps: 12 };
    const [first, second] = [await found(recipe, range), await found(recipe, range, 2)];
    expect(first.end).toBe('all');
    expect(first.points).toHaveLength(12);
    expect(second.points.map(({ rate }) => rate)).toEqual(first.points.map(({ rate }) => rate));
    expect(second.points.map(({ loss }) => loss)).not.toEqual(first.points.map(({ loss }) => loss));
  });
});

describe('the curve', () => {
  test('is smoothed by a mean that starts unbiased', () => {
    expect(smooth([3, 3, 3], 0.9).every((value) => Math.abs(value - 3) < 1e-12)).toBe(true);
    // Kingma and Ba 2015, algorithm 1: m̂ = m / (1 − β^t)
    const m = 0.9 * (0.1 * 2) + 0.1 * 5;
    expect(smooth([2, 5], 0.9)[1]).toBeCloseTo(m / (1 - 0.9 ** 2), 12);
  });

  const range = { from: 1e-6, to: 1, steps: 121 };
  /** Falls around 1e-3 and grows from 1e-1. */
  const losses = Array.from({ length: 121 }, (_, i) => {
    const log = Math.log10(rateOf(range, i));
    return 1 - 0.6 / (1 + Math.exp(-4 * (log + 3))) + 8 * Math.max(0, log + 1) ** 2;
  });

  test('suggests where it falls fastest, and a tenth of where it is least', () => {
    const { steepest, minimum, tenthOfMinimum } = suggestRates(rateCurve(range, losses))!;
    expect(Math.log10(steepest)).toBeCloseTo(-3, 0.9);
    expect(Math.log10(minimum)).toBeGreaterThan(-1.8);
    expect(Math.log10(minimum)).toBeLessThan(-0.9);
    expect(tenthOfMinimum).toBe(minimum / 10);
  });

  test('ends where the loss runs away, and says nothing of a loss that never falls', () => {
    expect(runsAway(losses.slice(0, 100))).toBe(false);
    expect(runsAway(losses)).toBe(true);
    const grows = losses.map((_, i) => 1 + i / 100);
    expect(suggestRates(rateCurve(range, grows))).toBeNull();
  });

  test('is drawn as a picture that stands alone', () => {
    const points: RatePoint[] = rateCurve(range, losses);
    const picture = ratePlot(points, suggestRates(points), 'a <title>');
    expect(picture).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    expect(picture).toContain('a &lt;title&gt;');
    expect(picture).toMatch(/steepest slope, \d\.\de-\d/);
    expect(picture).not.toMatch(/NaN|undefined|var\(/);
  });
});
