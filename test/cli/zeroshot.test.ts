import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSafetensors } from '../../src/models/safetensors/safetensors.js';
import { readPredictions } from '../../src/predict/predictions.js';
import { writeTinyDataset } from '../train/run/tiny-run.js';
import { writeSmallClip } from '../zeroshot/small-clip.js';
import { buildCommands, type Commands } from './commands.js';

let commands: Commands;
let folder: string;
let clip: string;
let images: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailray-cli-zeroshot-'));
  clip = await writeSmallClip(folder);
  images = join(await writeTinyDataset(join(folder, 'data'), 8), 'images');
  commands = await buildCommands();
});

afterAll(async () => {
  await commands.remove();
  await rm(folder, { recursive: true, force: true });
});

/** Text embeddings of tests are no business of the person's own cache. */
const zeroshot = (...words: string[]) =>
  commands.run('zeroshot', words, { env: { XDG_CACHE_HOME: join(folder, 'cache') } });

/** Prompts beside the commands that are built for tests are not there. */
const PROMPTS = ['--prompts', 'prompts/cxrlt2026.yaml'];

describe('zeroshot score', () => {
  test('writes a row for every image that was asked for, in its order, and a submission without gaps', async () => {
    const table = join(folder, 'evaluation.csv');
    const asked = ['3.png', 'gone.png', '0.png', '1.png'];
    await writeFile(
      table,
      `ImageID,StudyDate_DICOM,PatientID,Bulla,goiter\n${asked.map((name) => `${name},,,,\n`).join('')}`,
    );
    const [out, submission] = [join(folder, 'p.csv'), join(folder, 's.csv')];
    const words = ['score', clip, table, '--images', images, '--classes', 'goiter, Bulla', ...PROMPTS];
    const { code, stdout, stderr } = await zeroshot(...words, '--out', out, '--submission', submission);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/1 unreadable have each class's mean over the others/);

    const { classes, rows } = await readPredictions(out);
    expect(classes).toEqual(['goiter', 'Bulla']);
    expect(rows.map(({ image, note }) => [image, note.split(':')[0]])).toEqual([
      ['3.png', ''],
      ['gone.png', 'missing'],
      ['0.png', ''],
      ['1.png', ''],
    ]);
    const lines = (await readFile(submission, 'utf8')).trimEnd().split('\n');
    expect(lines[0]).toBe('ImageID,goiter,Bulla');
    expect(lines.slice(1).map((line) => line.split(',')[0])).toEqual(asked);
    const known = [0, 2, 3].map((i) => rows[i]!.probabilities![0]!);
    expect(new Set(known).size).toBe(3);
    for (const value of known) expect(value).toBeGreaterThan(0);
    const fallback = Number(lines[2]!.split(',')[1]);
    expect(fallback).toBeCloseTo(known.reduce((sum, value) => sum + value) / 3, 6);
  });

  test.each([
    ['an unknown finding', ['--classes', 'goitre'], /has no prompts for goitre/],
    ['an unknown rule', ['--rules', 'meen, sigmoid'], /did you mean "mean"/],
    ['rules in the wrong order', ['--rules', 'sigmoid, mean'], /rules come in the order/],
    ['scores beyond 0 to 1', ['--rules', 'mean'], /the last must be sigmoid or softmax/],
    ['a rule that is none', ['--rules', '5'], /A rule is a name/],
  ])('refuses %s', async (_, words, message) => {
    const { code, stderr } = await zeroshot(
      'score',
      clip,
      images,
      ...PROMPTS,
      '--out',
      join(folder, 'no.csv'),
      ...words,
    );
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });
});

describe('zeroshot tune', () => {
  const table = (...classes: string[]) =>
    [
      `ImageID,PatientID,${classes.join(',')}`,
      ...[0, 1, 2, 3, 4, 5, 6, 7].map(
        (i) => `${i}.png,p${i},${classes.map((_, c) => (i >> (c % 3)) & 1).join(',')}`,
      ),
    ].join('\n');

  test('judges the rules on seen findings', async () => {
    const path = join(folder, 'seen.csv');
    await writeFile(path, table('Mass', 'Hernia', 'Kyphosis', 'fracture'));
    const { code, stdout, stderr } = await zeroshot(
      'tune',
      clip,
      path,
      '--images',
      images,
      ...PROMPTS,
      '--resamples',
      '20',
    );
    expect(code, stderr).toBe(0);
    const [, heldOut = ''] = /^held out +(.*);/m.exec(stdout) ?? [];
    expect(heldOut.split(', ').sort()).toEqual(['Hernia', 'Kyphosis', 'Mass', 'fracture']);
    expect(stdout).toMatch(/positive-minus-negative/);
    expect(stdout).toMatch(/chosen +\S/);
  });

  test('refuses labels of an unseen finding', async () => {
    const path = join(folder, 'unseen.csv');
    await writeFile(path, table('Mass', 'Hernia', 'goiter'));
    const { code, stderr } = await zeroshot('tune', clip, path, '--images', images, ...PROMPTS);
    expect(code).toBe(2);
    expect(stderr).toMatch(/goiter/);
  });
});

test('zeroshot embed and search', async () => {
  const [out, sheet] = [join(folder, 'e.safetensors'), join(folder, 's.png')];
  const embedded = await zeroshot('embed', clip, images, '--out', out);
  expect(embedded.code, embedded.stderr).toBe(0);
  const { tensors, metadata } = readSafetensors(new Uint8Array(await readFile(out)));
  expect(tensors.get('embeddings')?.shape).toEqual([8, 16]);
  expect(JSON.parse(metadata.images!)).toHaveLength(8);

  const found = await zeroshot('search', clip, images, '--query', 'a nodule', '--top', '3', '--out', sheet);
  expect(found.code, found.stderr).toBe(0);
  expect(found.stdout.match(/^-?\d\.\d{4} {2}\d\.png$/gm)).toHaveLength(3);
  expect((await readFile(sheet)).subarray(1, 4).toString()).toBe('PNG');
  const again = await zeroshot('search', clip, images, '--query', 'a nodule', '--out', sheet);
  expect(again.code).toBe(2);
  expect(again.stderr).toMatch(/--force/);
});
