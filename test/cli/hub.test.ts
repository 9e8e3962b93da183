import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { temporaryFolder } from '../data/temporary-folder.js';
import { FakeHub } from '../hub/fake-hub.js';
import { TINY_RECIPE, writeTinyDataset } from '../train/run/tiny-run.js';
import { buildCommands, type Commands } from './commands.js';

let commands: Commands;

beforeAll(async () => {
  commands = await buildCommands();
});

afterAll(() => commands.remove());

test('weights from a hub: trained from, predicted with, offline, and gone', async () => {
  const hub = await FakeHub.start();
  const folder = await temporaryFolder({ 'tiny.yaml': TINY_RECIPE });
  const data = await writeTinyDataset(join(folder, 'data'));
  const train = (out: string, ...words: string[]) =>
    commands.run('train', [
      '--recipe',
      join(folder, 'tiny.yaml'),
      '--data',
      data,
      '--out',
      join(folder, out),
      ...words,
    ]);

  const first = await train('first', '--set', 'schedule.epochs=1');
  expect(first.code, first.stderr).toBe(0);
  const commit = hub.commit({ 'model.safetensors': await readFile(join(folder, 'first/best.safetensors')) });

  const second = await train('second', '--weights', 'hf-hub:timm/tiny', '--stop-after', '1');
  expect(second.code, second.stderr).toBe(0);
  expect(second.stdout).toContain(`weights from hf-hub:timm/tiny@${commit}.`);
  const { model } = parse(await readFile(join(folder, 'second/recipe.yaml'), 'utf8'));
  expect(model.weights).toBe(`hf-hub:timm/tiny@${commit}`);
  // the same words as at its beginning resume it, although a branch is not a commit
  const resumed = await train('second', '--weights', 'hf-hub:timm/tiny', '--resume', '--stop-after', '1');
  expect(resumed.code, resumed.stderr).toBe(0);

  await hub.stop();
  const other = ['--weights', 'hf-hub:timm/other', '--offline'];
  const missing = await train('third', ...other);
  expect(missing.code).toBe(2);
  expect(missing.stderr).toMatch(
    /^error: timm\/other@main is not in the cache .*\n {2}hf download timm\/other /,
  );

  const scores = join(folder, 'predictions.csv');
  const predicted = await commands.run('predict', [
    'hf-hub:timm/tiny',
    join(data, 'images'),
    '--out',
    scores,
    '--offline',
  ]);
  expect(predicted.code, predicted.stderr).toBe(0);
  expect((await readFile(scores, 'utf8')).split('\n')).toHaveLength(24 + 2);

  // the same file as bare weights: a recipe says what it does not
  const imported = join(folder, 'imported.safetensors');
  const said = await commands.run('import', [
    'hf-hub:timm/tiny',
    ...['--recipe', join(folder, 'tiny.yaml'), '--set', 'data.classes=[bright, striped]'],
    ...['--out', imported, '--offline'],
  ]);
  expect(said.code, said.stderr).toBe(0);
  expect(said.stdout).toContain('resnet10 for 2 classes, images of 16 × 16');
  const again = join(folder, 'again.csv');
  const rescored = await commands.run('predict', [imported, join(data, 'images'), '--out', again]);
  expect(rescored.code, rescored.stderr).toBe(0);
  expect(await readFile(again, 'utf8')).toBe(await readFile(scores, 'utf8'));
});
