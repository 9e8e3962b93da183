import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { IN_DISTRIBUTION } from '../../src/data/tables/findings.js';
import { defineModel, initialParameters, initialStatistics } from '../../src/models/model.js';
import { writeSafetensors } from '../../src/models/safetensors/safetensors.js';
import { exportTimm, importTimm } from '../../src/models/weights/timm-weights.js';
import { parseRecipe, resolveRecipe } from '../../src/recipe/recipe.js';
import { importWeights } from '../../src/train/import-weights.js';
import { decodeCheckpoint, encodeCheckpoint, networkOf } from '../../src/weights/checkpoint.js';
import { temporaryFolder } from '../data/temporary-folder.js';

const RECIPE = `
model: {arch: convnextv2_atto, width: 8, head: {name: csra, lambda: 0.2}}
preprocessing: {size: [64, 64], channels: 3, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}
data: {classes: [Normal, Mass, Hernia]}
`;
const recipe = (...overrides: string[]) => parseRecipe(RECIPE, { path: 'theirs.yaml', overrides });

/** A file as the winner of CXR-LT 2026 published one: bare weights, the backbone under a prefix. */
async function theirs(
  classes = 3,
  lambda = 0.2,
): Promise<{ path: string; definition: ReturnType<typeof defineModel> }> {
  const definition = defineModel({
    arch: 'convnextv2_atto',
    classes,
    inChannels: 3,
    width: 8,
    head: { name: 'csra', lambda },
  });
  const own = exportTimm(definition, {
    parameters: initialParameters(definition, 5),
    statistics: initialStatistics(definition),
  });
  const outside = /^(bn|head\.(classifier|conv_att))\./;
  const tensors = [...own].map(
    ([name, tensor]) => [outside.test(name) ? name : `backbone.${name}`, tensor] as const,
  );
  const folder = await temporaryFolder({});
  const path = join(folder, 'theirs.safetensors');
  await writeFile(path, writeSafetensors(new Map(tensors)));
  return { path, definition };
}

test('bare weights and a recipe make a checkpoint that holds all of the recipe', async () => {
  const { path, definition } = await theirs();
  const { checkpoint, notes } = await importWeights(path, recipe());
  expect(notes).toEqual([`weights from ${path}.`]);
  const read = await decodeCheckpoint(await encodeCheckpoint(checkpoint), 'imported.safetensors');
  expect(read.classes).toEqual(['Normal', 'Mass', 'Hernia']);
  expect(read.preprocessing).toEqual(recipe().preprocessing);
  expect(read.prevalence).toEqual([null, null, null]);
  expect(read.simulated).toBeUndefined();
  const network = networkOf(read);
  expect(network.config.head).toEqual({ name: 'csra', lambda: 0.2 });
  const weights = importTimm(network, read.tensors);
  expect(weights.parameters).toEqual(initialParameters(definition, 5));
});

test('the recipe of the winner’s system says all that its weights do not', async () => {
  const small = ['model.arch=convnextv2_atto', 'model.width=8', 'preprocessing.size=[64,64]'];
  const { recipe: whole } = await resolveRecipe('recipes/cxrlt2026-task1.yaml', small);
  const { path } = await theirs(30, 0.1);
  const { checkpoint } = await importWeights(path, whole);
  expect(checkpoint.classes).toEqual(IN_DISTRIBUTION);
  expect(checkpoint.preprocessing).toMatchObject({ bits: 8, channels: 3, mean: [0.485, 0.456, 0.406] });
  expect(JSON.stringify(checkpoint.recipe)).not.toContain('label table');
});

test('of a recipe in stages, the network and the classes are those of the last one', async () => {
  const { path } = await theirs();
  const staged = recipe('stages=[{schedule: {epochs: 1}}, {schedule: {epochs: 2}}]');
  expect((await importWeights(path, staged)).checkpoint.classes).toHaveLength(3);
});

test('a recipe without classes, or with another number of them, is refused', async () => {
  const { path } = await theirs();
  const { data: _, ...rest } = recipe();
  await expect(importWeights(path, { ...rest, data: parseRecipe('', { path: 'x' }).data })).rejects.toThrow(
    /data\.classes is missing/,
  );
  await expect(importWeights(path, recipe('data.classes=[Normal, Mass]'))).rejects.toThrow(
    /head\.classifier\.weight/,
  );
});
