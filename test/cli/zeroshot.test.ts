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
    const check = await commands.run('submission', ['check', submission, '--table', table]);
    expect([check.code, check.stdout]).toEqual([
      2,
      expect.stringMatching(/column 2 is "goiter" where "Bulla" is expected/),
    ]);
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

describe('zeroshot score with the Normal of a seen model', () => {
  const few = async () => {
    const path = join(folder, 'few.yaml');
    await writeFile(
      path,
      'findings:\n  goiter: {location: [a goiter]}\n  Bulla: {location: [a bulla, a cyst]}\n',
    );
    return ['--prompts', path, '--classes', 'goiter,Bulla'];
  };
  const seen = async (name: string, header: string, row: (image: string, i: number) => string) => {
    const path = join(folder, name);
    const rows = Array.from({ length: 8 }, (_, i) => row(`${i}.png`, i));
    await writeFile(path, [header, ...rows.filter((line) => line !== '')].join('\n'));
    return path;
  };

  test('takes (1 − p)^alpha of each score; views and image size change the scores', async () => {
    const asked = join(folder, 'asked.csv');
    const names = [...Array(8).keys()].map((i) => `${i}.png`);
    await writeFile(asked, ['ImageID', 'gone.png', ...names].join('\n'));
    const normal = await seen(
      'normal.csv',
      'ImageID,Mass,healthy,split,note\ngone.png,,,,missing',
      (image, i) => `${image},0.5,${i / 8},,`,
    );
    const read = async (out: string, ...words: string[]) => {
      const path = join(folder, out);
      const given = [clip, asked, '--images', images, ...(await few()), '--out', path];
      const { code, stderr } = await zeroshot('score', ...given, ...words);
      expect(code, stderr).toBe(0);
      const [gone, ...rows] = (await readPredictions(path)).rows;
      expect(gone).toMatchObject({ image: 'gone.png', probabilities: null });
      return rows.map(({ probabilities }) => Array.from(probabilities!));
    };
    const views = ['--tta', 'flip-scale', '--image-size', '48'];
    const submission = join(folder, 'gated-submission.csv');
    const gate = ['--normal', normal, '--normal-class', 'healthy', '--alpha', '2'];
    const plain = await read('plain.csv', ...views);
    const gated = await read('gated.csv', ...views, ...gate, '--submission', submission);
    for (const [i, row] of plain.entries()) {
      for (const [c, score] of row.entries()) {
        expect(gated[i]![c]! / (score * (1 - i / 8) ** 2)).toBeCloseTo(1, 5);
      }
    }
    const fallback = (await readFile(submission, 'utf8')).split('\n')[1]!.split(',');
    const mean = gated.reduce((sum, [goiter]) => sum + goiter!, 0) / 8;
    expect([fallback[0], Number(fallback[1])]).toEqual(['gone.png', expect.closeTo(mean, 6)]);
    expect(await read('small.csv')).not.toEqual(plain);
  });

  test.each([
    ['alpha alone', ['--alpha', '1'], /--alpha belongs to --normal/],
    ['a gate twice', ['--normal', 'n', '--rules', 'sigmoid, normal-gating'], /--normal adds normal-gating/],
    ['two files', ['--normal', 'n', '--seen', 'n'], /cannot be used with option/],
    [
      'a rule without its file',
      ['--rules', 'sigmoid, semantic-transfer, sigmoid'],
      /semantic-transfer needs --seen/,
    ],
    [
      'a column that is not there',
      ['--normal', 'all'],
      /all\.csv: there is no column "Normal"; did you mean/,
    ],
    [
      'images without a row',
      ['--seen', 'half', '--rules', 'sigmoid, normal-gating'],
      /no row for 4 of 8 images/,
    ],
    [
      'an image size',
      ['--image-size', '40'],
      /image size 40: is no multiple of the patch of 16 pixels; 32 and 48/,
    ],
    ['other views', ['--tta', 'rotate'], /Allowed choices are none, flip, light, medium, flip-scale/],
  ])('refuses %s', async (_, words, message) => {
    await seen('n.csv', 'ImageID,Normal', (image) => `${image},0.5`);
    await seen('all.csv', 'ImageID,normal', (image) => `${image},0.5`);
    await seen('half.csv', 'ImageID,Normal', (image, i) => (i % 2 === 0 ? `${image},0.5` : ''));
    const given = words.map((word) =>
      ['n', 'all', 'half'].includes(word) ? join(folder, `${word}.csv`) : word,
    );
    const { code, stderr } = await zeroshot(
      'score',
      clip,
      images,
      ...(await few()),
      '--out',
      join(folder, 'no.csv'),
      ...given,
    );
    expect(code, stderr).toBe(2);
    expect(stderr).toMatch(message);
  });
});

test('zeroshot evaluate measures seen and unseen findings, with no device', async () => {
  const [predictions, labels] = [join(folder, 'both.csv'), join(folder, 'labels.csv')];
  const rows = [...Array(24).keys()];
  const score = (i: number, c: number) => ((7 * i + 5 * c) % 24) / 24;
  await writeFile(
    predictions,
    [
      'ImageID,Mass,goiter,Hernia',
      ...rows.map((i) => [i, score(i, 0), score(i, 1), score(i, 2)].join()),
    ].join('\n'),
  );
  await writeFile(
    labels,
    [
      'ImageID,PatientID,Mass,goiter',
      ...rows.map((i) => `${i},p${i},${Number(score(i, 0) > 0.6)},${Number(i % 3 === 0)}`),
    ].join('\n'),
  );
  const words = ['evaluate', predictions, labels, '--unseen', 'goiter', '--top', '1', '--resamples', '100'];
  const { code, stdout, stderr } = await zeroshot(...words, '--gamma', '0.5');
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^left out {3}Hernia: no labels$/m);
  expect(stdout).toMatch(/^seen +1 +1\.000/m);
  expect(stdout).toMatch(/^unseen +1 +0\.\d{3} \[0\.\d{3}, 0\.\d{3}\]/m);
  expect(stdout).toMatch(/^harmonic mean of seen and unseen +0\.\d{3}/m);
  expect(stdout).toMatch(/mAP and AUROC stay as above/);
  expect(stdout).toMatch(/^with the given γ +0\.5000 /m);
  const wrong = await zeroshot('evaluate', predictions, labels, '--unseen', 'goitre');
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringMatching(/did you mean "goiter"/)]);
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
    const seen = join(folder, 'normals.csv');
    const rows = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => `${i}.png,${i / 8}`);
    await writeFile(seen, ['ImageID,Normal', ...rows].join('\n'));
    const { code, stdout, stderr } = await zeroshot(
      'tune',
      clip,
      path,
      '--images',
      images,
      ...PROMPTS,
      '--resamples',
      '20',
      '--seen',
      seen,
    );
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^sigmoid \+ normal-gating /m);
    const [, heldOut = ''] = /^held out +(.*);/m.exec(stdout) ?? [];
    expect(heldOut.split(', ').sort()).toEqual(['Hernia', 'Kyphosis', 'Mass', 'fracture']);
    expect(stdout).toMatch(/positive-minus-negative/);
    expect(stdout).toMatch(/chosen +\S/);
  });

  test('refuses prompts of a finding that neither the table nor the challenge has', async () => {
    const [path, prompts] = [join(folder, 'some.csv'), join(folder, 'some.yaml')];
    await writeFile(path, table('Mass', 'Hernia'));
    await writeFile(
      prompts,
      'findings:\n  goiter: {location: [a goiter]}\n  Hernai: {location: [a hernia]}\n  Mass: {location: [a mass]}\n',
    );
    const words = ['tune', clip, path, '--images', images, '--prompts', prompts, '--unseen', 'goiter'];
    const { code, stderr } = await zeroshot(...words);
    expect(code).toBe(2);
    expect(stderr).toMatch(/some\.yaml, line 3: .*there is no class "Hernai"; did you mean "Hernia"/);
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

  const [npy, texts, broken] = [join(folder, 'e.npy'), join(folder, 't.txt'), join(folder, 'b.txt')];
  await writeFile(texts, 'a nodule\n\nno "finding"\n');
  const written = await zeroshot('embed', clip, '--texts', texts, '--out', npy);
  expect(written.code, written.stderr).toBe(0);
  expect(written.stdout).toContain(`2 texts, 16 values each, in ${npy} and ${join(folder, 'e.txt')}`);
  expect(await readFile(join(folder, 'e.txt'), 'utf8')).toBe('"a nodule"\n"no \\"finding\\""\n');
  expect((await readFile(npy)).length).toBe(128 + 2 * 16 * 4);
  await writeFile(broken, Buffer.from([65, 0, 66]));
  const refused = await zeroshot('embed', clip, '--texts', broken, '--out', join(folder, 'n.npy'));
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/b\.txt: is no text file/)]);

  const found = await zeroshot('search', clip, images, '--query', 'a nodule', '--top', '3', '--out', sheet);
  expect(found.code, found.stderr).toBe(0);
  expect(found.stdout.match(/^-?\d\.\d{4} {2}\d\.png$/gm)).toHaveLength(3);
  expect((await readFile(sheet)).subarray(1, 4).toString()).toBe('PNG');
  const again = await zeroshot('search', clip, images, '--query', 'a nodule', '--out', sheet);
  expect(again.code).toBe(2);
  expect(again.stderr).toMatch(/--force/);
});
