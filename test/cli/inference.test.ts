import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeCheckpoint, readCheckpoint } from '../../src/weights/checkpoint.js';
import { TINY_RECIPE, writeTinyDataset } from '../train/run/tiny-run.js';
import { buildCommands, type Commands } from './commands.js';

let commands: Commands;
let folder: string;
let run: string;
let best: string;
/** The same network, its classifier turned round: good scores become bad ones. */
let spoilt: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailray-cli-inference-'));
  await writeFile(join(folder, 'tiny.yaml'), TINY_RECIPE);
  const data = await writeTinyDataset(join(folder, 'data'));
  run = join(folder, 'run');
  best = join(run, 'best.safetensors');
  spoilt = join(folder, 'spoilt.safetensors');
  commands = await buildCommands();
  const words = ['--recipe', join(folder, 'tiny.yaml'), '--data', data, '--out', run, '--quiet'];
  const { code, stderr } = await commands.run('train', words);
  expect(code, stderr).toBe(0);
  const checkpoint = await readCheckpoint(best);
  const tensors = new Map(checkpoint.tensors);
  for (const [name, tensor] of tensors) {
    if (name.startsWith('fc.') && tensor.dtype === 'F32') {
      tensors.set(name, { ...tensor, data: tensor.data.map((value) => -value) });
    }
  }
  await writeFile(spoilt, await encodeCheckpoint({ ...checkpoint, tensors }));
});

afterAll(async () => {
  await commands.remove();
  await rm(folder, { recursive: true, force: true });
});

describe('average', () => {
  test('keeps all files, or those that help on the validation part of a run', async () => {
    const [all, some] = [join(folder, 'all.safetensors'), join(folder, 'some.safetensors')];
    const mean = await commands.run('average', [best, spoilt, '--out', all]);
    expect(mean.code, mean.stderr).toBe(0);
    expect(mean.stdout).toMatch(
      /running statistics of batch norm are averaged.*\nmean of 2 of 2 checkpoints in/,
    );
    const averaged = await readCheckpoint(all);
    expect(averaged.tensors.get('fc.weight')!.data.every((value) => value === 0)).toBe(true);
    const own = await readCheckpoint(best);
    expect(averaged.tensors.get('conv1.weight')).toEqual(own.tensors.get('conv1.weight'));

    const greedy = await commands.run('average', [spoilt, best, '--greedy', run, '--out', some]);
    expect(greedy.code, greedy.stderr).toBe(0);
    const { validation } = JSON.parse(await readFile(join(run, 'summary.json'), 'utf8'));
    const rows = greedy.stdout.split('\n').map((line) => line.split(/ {2,}/));
    const tried = rows.filter(([path]) => path === best || path === spoilt);
    expect(tried.map(([path, , , kept]) => [path, kept])).toEqual([
      [best, 'kept'],
      [spoilt, 'left out'],
    ]);
    expect(tried[0]![1]).toBe(validation.mAP.toFixed(4));
    const chosen = await readCheckpoint(some);
    expect(chosen.tensors).toEqual(own.tensors);
    expect(chosen).toMatchObject({ averaged: ['run/best.safetensors'], metrics: { auroc: null } });
    expect(chosen.metrics.mAP).toBeCloseTo(validation.mAP, 6);
    const again = await commands.run('average', [best, '--out', all]);
    expect([again.code, again.stderr]).toEqual([2, expect.stringMatching(/exists already/)]);
  });
});

describe('evaluate', () => {
  test('fits thresholds on validation, never on test, and uses them', async () => {
    const file = join(folder, 'thresholds.csv');
    const evaluate = (...words: string[]) => commands.run('evaluate', [run, '--resamples', '10', ...words]);
    const fitted = await evaluate('--fit-thresholds', file);
    expect(fitted.code, fitted.stderr).toBe(0);
    const best = /at 0\.5, ([\d.]+) at each class's best/.exec(fitted.stdout)?.[1];
    expect(best).toBeDefined();
    const used = await evaluate('--thresholds', file);
    expect(used.code, used.stderr).toBe(0);
    expect(used.stdout).toMatch(
      new RegExp(`macro F1 +${best} \\([^\\n]+\\) at the given thresholds\\n.+ ${best} at each class's best`),
    );
    expect(used.stdout).toMatch(/F1 @ 0\.5 +F1 @ fitted/);
    const onTest = await evaluate('--fit-thresholds', file, '--part', 'test', '--force');
    expect([onTest.code, onTest.stderr]).toEqual([2, expect.stringMatching(/would flatter it/)]);
  });
});

describe('ladder', () => {
  test('measures single, average, views, ensemble and gate on the validation part of a run', async () => {
    const json = join(folder, 'ladder.json');
    const words = [best, spoilt, '--data', run, '--tta', 'flip', '--weights', '1,0', '--normal-gate', '0.5'];
    const { code, stdout, stderr } = await commands.run('ladder', [
      ...words,
      ...['--raw', spoilt, '--normal-class', 'bright', '--resamples', '20', '--json', json],
    ]);
    expect(code, stderr).toBe(0);
    const names = [
      'single, weights of the last step',
      'averaged weights',
      'views: flip, mean',
      'ensemble of 2',
      'gate: bright, 0.5',
    ];
    expect(names.map((name) => stdout.split('\n').some((line) => line.startsWith(name)))).toEqual(
      names.map(() => true),
    );
    const { part, images, rows } = JSON.parse(await readFile(json, 'utf8'));
    const { validation } = JSON.parse(await readFile(join(run, 'summary.json'), 'utf8'));
    expect([part, images]).toEqual(['validation', 6]);
    expect(rows.map(({ name }: { name: string }) => name)).toEqual(names);
    expect(rows[1].scores.mAP).toBeCloseTo(validation.mAP, 6);
    expect(rows[1].gains.mAP.estimate).toBeCloseTo(validation.mAP - rows[0].scores.mAP, 6);
    // the second model has no weight
    expect(rows[3]).toMatchObject({
      scores: rows[2].scores,
      gains: { mAP: { estimate: 0, low: 0, high: 0 } },
    });
  });
});

describe('explain-image', () => {
  test('writes overlays of files and tables for the highest or the named classes, and lists them', async () => {
    const out = join(folder, 'explained');
    const images = join(folder, 'data', 'images');
    const words = [best, join(images, '0.png'), join(images, '1.png'), '--out', out];
    const top = await commands.run('explain-image', [...words, '--top', '1']);
    expect(top.code, top.stderr).toBe(0);
    expect(top.stdout).toMatch(/^0\.png +(?:bright|striped) +0\.\d{3} +\S+grad-cam\.png$/m);
    expect(top.stdout).toContain('2 maps in ');
    expect((await readdir(out)).length).toBe(2);

    const again = await commands.run('explain-image', words);
    expect([again.code, again.stderr]).toEqual([2, expect.stringMatching(/is not empty.*--force/)]);
    const all = [join(folder, 'data', 'train.csv'), '--images', images, '--class', 'striped'];
    const table = await commands.run('explain-image', [best, ...all, '--raw', '--force', '--out', out]);
    expect(table.code, table.stderr).toBe(0);
    const files = await readdir(out);
    expect(files).toEqual(expect.arrayContaining(['23.striped.grad-cam.png', '23.striped.grad-cam.npy']));
    expect(table.stdout).toContain('24 maps in ');
  });

  test('holds maps against masks, and refuses what there is not', async () => {
    const masks = join(folder, 'masks');
    await mkdir(join(masks, 'bright'), { recursive: true });
    for (const i of [1, 3, 5]) {
      await copyFile(join(folder, 'data', 'images', `${i}.png`), join(masks, 'bright', `${i}.png`));
    }
    const words = [best, join(folder, 'data', 'images'), '--resamples', '20'];
    const { code, stdout, stderr } = await commands.run('explain-image', [...words, '--masks', masks]);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain('3 maps. Grad-CAM');
    // these masks are the whole image
    expect(stdout).toMatch(/^bright +3 +100\.0 %/m);
    const refused = async (...more: string[]) =>
      (await commands.run('explain-image', [...words, ...more])).stderr;
    expect(await refused('--class', 'dull')).toContain('it has bright, striped.');
    expect(await refused('--method', 'rollout', '--out', join(folder, 'r'))).toContain(
      'vision transformers have',
    );
    expect(await refused('--masks', masks, '--class', 'striped')).toContain('no image has a mask');
    expect((await commands.run('explain-image', [best, join(folder, 'nothing.png')])).stderr).toContain(
      'no such file or folder',
    );
  });
});
