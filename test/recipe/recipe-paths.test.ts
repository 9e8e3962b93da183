import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { planComparison } from '../../src/compare/comparison-plan.js';
import { formatRecipe, parseRecipe, resolveRecipe } from '../../src/recipe/recipe.js';
import { fromFolder, keptIn } from '../../src/recipe/recipe-paths.js';
import { RunDirectory } from '../../src/train/run/run-directory.js';
import { planRun } from '../../src/train/run/run-plan.js';
import { temporaryFolder } from '../data/temporary-folder.js';

const PATHS = 'data: {path: /d/train.csv, images: /d/images}\nmodel: {weights: /w/best.safetensors}\n';

describe('a recipe in a run directory', () => {
  test('names files from its folder, and means the same wherever it is read', async () => {
    const top = await temporaryFolder({ 'r.yaml': 'schedule: {epochs: 2}\n' });
    const request = {
      recipe: join(top, 'r.yaml'),
      data: join(top, 'data'),
      weights: join(top, 'w.safetensors'),
    };
    const plan = await planRun({ ...request, out: join(top, 'runs', 'a') });
    await plan.run.begin(plan.recipe);
    const text = await readFile(join(plan.run.path, 'recipe.yaml'), 'utf8');
    expect(text).toContain('path: ../../data\n');
    expect(text).toContain('weights: ../../w.safetensors\n');
    expect(text).toContain('pathsFrom: recipe\n');
    expect(text).not.toContain(top);
    expect(await plan.run.recipe()).toEqual(plan.recipe);
    // by a path that is relative itself, as a recipe, and as the base of a comparison
    expect(await new RunDirectory(relative('.', plan.run.path)).recipe()).toEqual(plan.recipe);
    const path = join(plan.run.path, 'recipe.yaml');
    expect((await resolveRecipe(path)).recipe).toEqual(plan.recipe);
    expect((await resolveRecipe(path, ['data.path=here.csv'])).recipe.data.path).toBe('here.csv');
    await writeFile(join(top, 'c.yaml'), 'base: runs/a/recipe.yaml\nseeds: 1\nlosses: [bce, asl]\n');
    const { cells } = await planComparison(join(top, 'c.yaml'));
    expect(cells[0]?.recipe.data).toEqual(plan.recipe.data);
    // and after both were moved
    const moved = join(top, 'elsewhere');
    await mkdir(moved);
    await rename(join(top, 'runs'), join(moved, 'runs'));
    expect((await new RunDirectory(join(moved, 'runs', 'a')).recipe()).data.path).toBe(join(moved, 'data'));
    expect((await planRun({ resume: true, out: join(moved, 'runs', 'a') })).recipe.model.weights).toBe(
      join(moved, 'w.safetensors'),
    );
  });

  test('of before, with absolute paths, is read as it was', async () => {
    const folder = await temporaryFolder({
      'recipe.yaml': formatRecipe(parseRecipe(PATHS, { path: 'r.yaml' })),
    });
    const recipe = await new RunDirectory(folder).recipe();
    expect(recipe.data).toMatchObject({ path: '/d/train.csv', images: '/d/images' });
    expect(recipe.model.weights).toBe('/w/best.safetensors');
  });

  test('without a path says nothing of paths, and weights on a hub are none', () => {
    const recipe = parseRecipe('model: {weights: "hf-hub:a/b:c.safetensors"}', { path: 'r.yaml' });
    expect(keptIn('/runs/a', recipe)).toEqual(recipe);
  });

  test('any paths come back, those of losses in files, too', () => {
    const part = fc.constantFrom('a', 'b c', 'ü', 'x.y');
    const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join('/')}`);
    const name = fc.oneof(
      fc.constant('asl'),
      path.map((text) => `${text}.ts`),
    );
    const loss = fc.record({ name });
    const recipe = fc.record(
      {
        data: fc.record({ path, images: path }, { requiredKeys: [] }),
        model: fc.record({ weights: fc.oneof(path, fc.constant('hf-hub:a/b')) }, { requiredKeys: [] }),
        loss,
        stages: fc.array(fc.record({ loss }, { requiredKeys: [] }), { maxLength: 2 }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(recipe, path, (given, folder) => {
        const kept = keptIn(folder, given);
        expect(JSON.stringify(kept)).not.toMatch(/"\/|[:\\]\\/);
        expect(fromFolder(folder, kept)).toEqual(given);
      }),
    );
  });

  test('a file alone may say where its paths start', () => {
    expect(parseRecipe('pathsFrom: recipe\ndata: {path: d}', { path: '/x/r.yaml' }).data.path).toBe('/x/d');
    expect(() => parseRecipe('', { path: 'r.yaml', overrides: ['pathsFrom=recipe'] })).toThrow(
      /--set pathsFrom=recipe: pathsFrom: can be said in the file of a recipe only/,
    );
    expect(() => parseRecipe('pathsFrom: here', { path: 'r.yaml' })).toThrow(/pathsFrom: .*"recipe"/);
  });
});
