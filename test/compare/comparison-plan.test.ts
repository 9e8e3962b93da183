import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { planComparison } from '../../src/compare/comparison-plan.js';
import { shardOf } from '../../src/compare/run-cells.js';
import { temporaryFolder } from '../data/temporary-folder.js';

async function plan(text: string, overrides?: string[]) {
  const folder = await temporaryFolder();
  const path = join(folder, 'compare.yaml');
  await writeFile(path, text);
  await writeFile(join(folder, 'base.yaml'), 'loss: {name: asl, gammaNeg: 3}\nbatchSize: 8\n');
  return planComparison(path, overrides);
}

describe('a comparison’s file', () => {
  test('gives losses × samplers × seeds, and variants by what they change', async () => {
    const { variants, baseline, seeds, cells } = await plan(`
base: base.yaml
seeds: 2
losses: [bce, {name: focal, gamma: 3}]
samplers: [shuffled, class-aware]
variants:
  sharper: {loss: {gammaNeg: 5}, optimizer: {lr: 0.5}}
`);
    expect(variants).toEqual([
      'bce+shuffled',
      'bce+class-aware',
      'focal+shuffled',
      'focal+class-aware',
      'sharper',
    ]);
    expect(baseline).toBe('bce+shuffled');
    expect(seeds).toEqual([0, 1]);
    expect(cells.map(({ name }) => name).slice(4, 6)).toEqual(['sharper-s0', 'bce+shuffled-s1']);
    const [, , focal, , sharper] = cells;
    expect(focal?.recipe).toMatchObject({
      seed: 0,
      batchSize: 8,
      loss: { name: 'focal', gamma: 3, alpha: 0.25 },
    });
    expect(focal?.recipe.loss).not.toHaveProperty('gammaNeg');
    expect(sharper?.recipe).toMatchObject({ loss: { name: 'asl', gammaNeg: 5 }, optimizer: { lr: 0.5 } });
    expect(cells[9]?.recipe.seed).toBe(1);
  });

  test('takes sums of losses, which are called by their parts', async () => {
    const { cells } = await plan(`
base: base.yaml
seeds: 1
losses: [bce, {sum: [{name: bce}, {name: smooth-ap, weight: 0.5}]}]
variants:
  asl-auc: {loss: {sum: [{name: asl}, {name: auc-margin}]}}
`);
    expect(cells.map(({ variant, recipe }) => [variant, recipe.loss.name])).toEqual([
      ['bce', 'bce'],
      ['bce+smooth-ap', 'sum'],
      ['asl-auc', 'sum'],
    ]);
    // nothing is left of the base's asl with its gammaNeg
    expect(cells[2]?.recipe.loss).toMatchObject({ sum: [{ name: 'asl', gammaNeg: 4 }, { margin: 1 }] });
    expect(cells[2]?.recipe.loss).not.toHaveProperty('gammaNeg');
  });

  test('takes changes to all variants from outside', async () => {
    const { cells } = await plan('base: {}\nlosses: [bce, asl]\nseeds: [3]\n', ['batchSize=4']);
    expect(cells.map(({ recipe }) => [recipe.seed, recipe.batchSize, recipe.loss.name])).toEqual([
      [3, 4, 'bce'],
      [3, 4, 'asl'],
    ]);
  });

  test('is dealt out to shards without remainder', async () => {
    const { cells } = await plan('base: {}\nlosses: [bce, asl, db]\nseeds: 3\n');
    const dealt = [0, 1].flatMap((index) => shardOf(cells, { index, count: 2 }));
    expect(dealt).toHaveLength(9);
    expect(new Set(dealt)).toEqual(new Set(cells));
  });

  test.each([
    ['seeds: 3\nlosses: [bce, asl]\n', 'base'],
    ['base: {}\nlosses: [bce]\n', 'at least two'],
    ['base: {}\nlosses: [bce, bce]\n', 'two variants are called "bce"'],
    ['base: {}\nlosses: [bce, asl]\nbaseline: focal\n', 'no variant "focal"; there are bce, asl'],
    ['base: {}\nlosses: [bce, asll]\n', 'variant asll'],
    ['base: {}\nlosses: [bce, asl]\nseeds: [1, 1]\n', 'one is there twice'],
    ['base: nothing.yaml\nlosses: [bce, asl]\n', 'nothing.yaml'],
    ['base: [', 'not valid YAML'],
  ])('is refused with the reason: %j', async (text, message) => {
    await expect(plan(text)).rejects.toThrow(message);
  });
});
