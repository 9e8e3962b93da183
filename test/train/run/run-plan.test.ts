import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { planComparison } from '../../../src/compare/comparison-plan.js';
import { RunDirectoryError } from '../../../src/train/run/run-directory-error.js';
import { planRun } from '../../../src/train/run/run-plan.js';
import { ResumeError } from '../../../src/train/run/training-error.js';
import { readScoreRecipe } from '../../../src/zeroshot/score-recipe.js';
import { temporaryFolder } from '../../data/temporary-folder.js';

async function recipeFile(content = 'batchSize: 8\n'): Promise<{ folder: string; recipe: string }> {
  const folder = await temporaryFolder({ 'small.yaml': content });
  return { folder, recipe: join(folder, 'small.yaml') };
}

describe('a plan', () => {
  test('puts the command line over the recipe, and the run where its name says', async () => {
    const { recipe } = await recipeFile();
    const plan = await planRun({ recipe, set: ['seed=1', 'batchSize=4'], seed: 7, data: 'some/table.csv' });
    expect(plan.recipe).toMatchObject({ seed: 7, batchSize: 4, data: { path: resolve('some/table.csv') } });
    expect(plan.run.path).toBe(join('runs', 'small-seed7'));
  });

  test('--lenient stands in the recipe, so that it holds for a resumed run; without it nothing does', async () => {
    const { recipe } = await recipeFile();
    expect((await planRun({ recipe, lenient: true })).recipe.data.lenient).toBe(true);
    expect((await planRun({ recipe })).recipe.data).not.toHaveProperty('lenient');
  });

  test('writes nothing, and refuses a folder that holds a run unless told to replace it', async () => {
    const { folder, recipe } = await recipeFile();
    const out = join(folder, 'run');
    const { run, recipe: resolved } = await planRun({ recipe, out });
    expect(await readdir(folder)).toEqual(['small.yaml']);
    await run.begin(resolved);
    await writeFile(join(out, 'notes.txt'), 'mine');
    await expect(planRun({ recipe, out })).rejects.toThrow(RunDirectoryError);
    const again = await planRun({ recipe, out, force: true });
    await again.run.begin(again.recipe);
    expect((await readdir(out)).sort()).toEqual(['notes.txt', 'recipe.yaml']);
    await expect(planRun({ recipe, out: recipe })).rejects.toThrow(/is a file/);
  });

  test('refuses a network that there is not, and patterns that match none of it, before any data are read', async () => {
    const { recipe } = await recipeFile('model: {arch: resnet18}\n');
    const set = (text: string) => planRun({ recipe, set: [text], data: '/no/such/table.csv' });
    await expect(set('model.arch=resnet19')).rejects.toThrow(/no architecture "resnet19"/);
    await expect(set('optimizer.groups=[{match: layer9, freeze: true}]')).rejects.toThrow(
      /optimizer\.groups\.0\.match: "layer9" matches no parameter of resnet18/,
    );
  });

  test('to resume needs no recipe, and takes no other settings', async () => {
    const { folder, recipe } = await recipeFile();
    const out = join(folder, 'run');
    const begun = await planRun({ recipe, out, data: '/data/table.csv', seed: 3 });
    await begun.run.begin(begun.recipe);
    expect((await planRun({ out, resume: true })).recipe).toEqual(begun.recipe);
    expect((await planRun({ recipe, seed: 3, out, resume: true })).recipe).toEqual(begun.recipe);
    const other = planRun({ out, resume: true, set: ['optimizer.lr=1'] });
    await expect(other).rejects.toThrow(ResumeError);
    await expect(other).rejects.toThrow(/optimizer\.lr: 0\.001 → 1/);
    await expect(planRun({ out, resume: true, data: '/elsewhere' })).rejects.toThrow(/data\.path/);
  });

  test('to resume may allow another amount of memory: results do not depend on it', async () => {
    const { folder, recipe } = await recipeFile('memory: 2GiB\n');
    const out = join(folder, 'run');
    const begun = await planRun({ recipe, out });
    await begun.run.begin(begun.recipe);
    expect((await planRun({ out, resume: true })).recipe.memory).toBe('2GiB');
    expect((await planRun({ out, resume: true, memory: '1GiB' })).recipe).toEqual({
      ...begun.recipe,
      memory: '1GiB',
    });
    await expect(planRun({ out, resume: true, memory: 'much' })).rejects.toThrow(
      /must be a size such as 4GiB/,
    );
  });

  test('that says too little is refused', async () => {
    const { folder } = await recipeFile();
    await expect(planRun({})).rejects.toThrow(/name a recipe with --recipe/);
    await expect(planRun({ resume: true })).rejects.toThrow(/say which run to resume/);
    await expect(planRun({ resume: true, out: folder })).rejects.toThrow(/holds no run to resume/);
  });
});

test('the recipes of the project are recipes, compare some, or score without training', async () => {
  const folder = resolve(import.meta.dirname, '../../../recipes');
  const names = (await readdir(folder)).filter((name) => name.endsWith('.yaml'));
  expect(names.length).toBeGreaterThan(0);
  for (const name of names) {
    const path = join(folder, name);
    const text = await readFile(path, 'utf8');
    if (/^base:/m.test(text)) await planComparison(path);
    else if (/^model: [^{]/m.test(text)) await readScoreRecipe(path);
    else await planRun({ recipe: path, out: join(folder, 'nowhere') });
  }
});
