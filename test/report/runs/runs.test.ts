import { appendFile, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseRecipe } from '../../../src/recipe/recipe.js';
import { findRuns } from '../../../src/report/runs/find-runs.js';
import { columnNamed, type RunColumnName, sortRuns } from '../../../src/report/runs/run-columns.js';
import { outlineRun, type RunOutline } from '../../../src/report/runs/run-outline.js';
import { differingSettings, parseCondition, runsWhere } from '../../../src/report/runs/run-settings.js';
import { sideBySide } from '../../../src/report/runs/side-by-side.js';
import { temporaryFolder } from '../../data/temporary-folder.js';
import { writeDataset, writeRun } from '../made-up-run.js';

const CLASSES = ['Normal', 'effusion', 'rare'];

/** Three runs on the same data, made once. */
let folder = '';
let data = '';
const [A, B, C] = ['runs/a', 'runs/deep/b', 'runs/deep/c'];
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  // not `temporaryFolder`: that one is gone with the first test
  folder = join(process.env.TMPDIR ?? '/tmp', `tailray-runs-${process.pid}`);
  data = await writeDataset(at('data'), { classes: CLASSES, images: 120 });
  await writeRun(at(A), { data, skill: 0.5, overrides: ['loss.name=bce'] });
  await writeRun(at(B), { data, skill: 3, overrides: ['loss.name=asl', 'optimizer.lr=0.01'] });
  await writeRun(at(C), { data, seed: 1, overrides: ['loss.name=asl', 'loss.gammaNeg=2'] });
  return () => rm(folder, { recursive: true, force: true });
});

/** A run of its own, to be changed. */
async function changeable(): Promise<string> {
  return writeRun(join(await temporaryFolder(), 'run'), { data });
}

test('runs are found below folders, once each, in their order, and nothing else', async () => {
  const other = await temporaryFolder({
    'plain/readme.txt': '',
    'conda/recipe.yaml': 'package: {name: x}',
    'begun/recipe.yaml': 'seed: 1',
    '.hidden/recipe.yaml': 'seed: 1',
    'run10/recipe.yaml': 'seed: 1',
    'run9/recipe.yaml': 'seed: 1',
    'run9/last/recipe.yaml': 'seed: 1',
  });
  await symlink(at('runs'), join(other, 'link'));
  expect(await findRuns([at('runs')])).toEqual([at(A), at(B), at(C)]);
  expect(await findRuns([at('runs'), at('runs/deep')])).toEqual([at(A), at(B), at(C)]);
  expect((await findRuns([other])).map((path) => path.slice(other.length))).toEqual([
    '/begun',
    '/run9',
    '/run10',
  ]);
  await expect(findRuns([join(other, 'gone')])).rejects.toThrow('there is no such folder');
});

describe('the outline of a run', () => {
  test('has what the run recorded', async () => {
    const { validation, test: scores } = JSON.parse(await readFile(at(`${B}/summary.json`), 'utf8'));
    const run = await outlineRun(at(B));
    expect(run).toMatchObject({
      name: 'b',
      state: 'finished',
      why: null,
      simulated: false,
      epochs: { done: 5, planned: 5 },
      bestEpoch: 4,
      seconds: 62.5,
      validation: { mAP: validation.mAP, auroc: validation.auroc, interval: null },
      test: { mAP: scores.mAP },
    });
    expect(run.curve?.points).toHaveLength(5);
    expect(run.curve?.metric).toBe('mAP');
    expect(run.bytes).toBeGreaterThan(3000);
  });

  test('has the intervals that it recorded', async () => {
    const path = await changeable();
    const summary = JSON.parse(await readFile(join(path, 'summary.json'), 'utf8'));
    const intervals = { validation: { mAP: { low: 0.1, high: 0.9 }, auroc: null }, test: null };
    await writeFile(join(path, 'summary.json'), JSON.stringify({ ...summary, intervals }));
    expect(await outlineRun(path)).toMatchObject({
      validation: { interval: { low: 0.1, high: 0.9 } },
      test: { interval: null },
    });
  });

  test('says that a run is running, whatever else lies there', async () => {
    const path = await changeable();
    await writeFile(join(path, '.lock'), `${process.pid} ${hostname()}`);
    expect(await outlineRun(path)).toMatchObject({
      state: 'running',
      why: `process ${process.pid} on ${hostname()}`,
    });
    // the lock of a process that is gone
    await writeFile(join(path, '.lock'), `999999999 ${hostname()}`);
    expect((await outlineRun(path)).state).toBe('finished');
  });

  test('of a run that was cut off has the scores of its best epoch so far', async () => {
    const path = await changeable();
    await rm(join(path, 'summary.json'));
    await appendFile(join(path, 'metrics.jsonl'), '{"kind":"step","ste');
    const run = await outlineRun(path);
    expect(run).toMatchObject({
      state: 'interrupted',
      why: null,
      epochs: { done: 5 },
      bestEpoch: 4,
      test: null,
    });
    expect(run.validation?.mAP).toBeGreaterThan(0);
  });

  test('says that a run diverged, until it went back', async () => {
    const path = await changeable();
    await rm(join(path, 'summary.json'));
    const step = { kind: 'step', step: 31, epoch: 6, loss: null, gradientNorm: null, learningRate: 0.1 };
    const add = (line: object) => appendFile(join(path, 'metrics.jsonl'), `${JSON.stringify(line)}\n`);
    await add({ ...step, loss: 0.5, lossScale: 1024 });
    expect((await outlineRun(path)).state).toBe('interrupted');
    await add(step);
    await add({ ...step, step: 32, loss: 0.4, gradientNorm: 1 });
    expect(await outlineRun(path)).toMatchObject({
      state: 'failed',
      why: 'diverged: the loss or its gradient was not finite at step 31',
    });
    await add({ kind: 'rollback', step: 30, diverged: 31, factor: 0.5 });
    expect((await outlineRun(path)).state).toBe('interrupted');
  });

  test.each([
    ['recipe.yaml', 'seed: x'],
    ['summary.json', '{"status": "fin'],
    ['metrics.jsonl', 'step,loss\n1,2\n'],
  ])('of a run whose %s can not be understood says so', async (name, content) => {
    const path = await changeable();
    await writeFile(join(path, name), content);
    const { state, why } = await outlineRun(path);
    expect([state, why]).toEqual(['failed', expect.stringContaining(name)]);
  });

  test('has the loss for a curve where nothing was validated, and none before the first epoch', async () => {
    const path = await changeable();
    const metrics = join(path, 'metrics.jsonl');
    const lines = (await readFile(metrics, 'utf8')).trim().split('\n');
    const blind = lines.map((line) => JSON.stringify({ ...JSON.parse(line), validation: null }));
    await writeFile(metrics, `${blind.join('\n')}\n`);
    expect((await outlineRun(path)).curve?.metric).toBe('loss');
    await writeFile(metrics, `${lines[0]}\n`);
    expect((await outlineRun(path)).curve).toBeNull();
  });
});

describe('many runs', () => {
  const outlines = () => Promise.all([A, B, C].map((name) => outlineRun(at(name))));
  const names = (runs: readonly RunOutline[]) => runs.map(({ name }) => name).join('');

  test('are sorted by any column, absent values last either way', async () => {
    const runs = await outlines();
    const scoreless = { ...runs[0], name: 'x', validation: null } as RunOutline;
    const all = [scoreless, ...runs];
    const sorted = (by: RunColumnName, reverse = false) => names(sortRuns(all, by, { reverse }));
    const byScore = [...runs].sort((a, b) => (b.validation?.mAP ?? 0) - (a.validation?.mAP ?? 0));
    expect(sorted('mAP')).toBe(`${names(byScore)}x`);
    expect(sorted('mAP', true)).toBe(`${names(byScore.reverse())}x`);
    expect(sorted('name')).toBe('xabc');
    expect(sorted('loss')).toBe('bcxa');
    expect(sorted('time')).toBe('xabc');
    expect(columnNamed('map')).toBe('mAP');
    expect(() => columnNamed('siz')).toThrow('did you mean "size"?');
    expect(() => columnNamed('anything')).toThrow('there are name, state, when');
  });

  test('are chosen by settings of their recipes', async () => {
    const runs = await outlines();
    const where = (...texts: string[]) => names(runsWhere(runs, texts.map(parseCondition)));
    expect(where('loss=asl')).toBe('bc');
    expect(where('loss.name=bce')).toBe('a');
    expect(where('loss=asl', 'optimizer.lr=1e-2')).toBe('b');
    expect(where('model=resnet10')).toBe('abc');
    expect(where('optimizer=adamw')).toBe('abc');
    expect(where('preprocessing.size=[32, 32]')).toBe('abc');
    expect(where('seed=7')).toBe('');
    expect(() => where('optimizer.l=1')).toThrow(
      'no run has a setting "optimizer.l"; did you mean "optimizer.lr"?',
    );
    expect(() => where('loss')).toThrow('--where loss: expected path.to.setting=value');
    expect(names(runsWhere([{ ...runs[0], recipe: null } as RunOutline], [parseCondition('seed=0')]))).toBe(
      '',
    );
  });

  test('differ in the settings that differ, paths named by as much as tells them apart', async () => {
    const runs = await outlines();
    const recipes = runs.flatMap(({ recipe }) => recipe ?? []);
    const table = Object.fromEntries(
      differingSettings(recipes).map(({ setting, values }) => [setting, values]),
    );
    expect(table).toMatchObject({
      seed: ['0', '0', '1'],
      'loss.name': ['bce', 'asl', 'asl'],
      'loss.gammaNeg': [null, '4', '2'],
      'optimizer.lr': ['0.001', '0.01', '0.001'],
    });
    expect(Object.keys(table)).not.toContain('data.path');
    const of = (path: string) => parseRecipe('{}', { path: 'x.yaml', overrides: [`data.path=${path}`] });
    const moved = differingSettings(
      ['/home/me/nih/train.csv', '/mnt/x/chexpert/train.csv', '/mnt/x/nih/train.csv'].map(of),
    );
    expect(moved).toEqual([
      { setting: 'data.path', values: ['me/nih/train.csv', 'chexpert/train.csv', 'x/nih/train.csv'] },
    ]);
  });

  test('are compared with the first on the same images', async () => {
    const { runs, settings } = await sideBySide([at(A), at(B)], { resamples: 50 });
    expect(runs.map(({ difference }) => difference === null)).toEqual([true, false]);
    const { estimate, low, whyMissing } = runs[1]?.difference?.mAP ?? {};
    expect(estimate).toBeCloseTo((runs[1]?.scores?.mAP ?? 0) - (runs[0]?.scores?.mAP ?? 0), 12);
    expect(low).toBeGreaterThan(0);
    expect(whyMissing).toBeNull();
    expect(settings.map(({ setting }) => setting)).toContain('loss.name');
    await expect(sideBySide([at(A)])).rejects.toThrow('two runs or more');
    await expect(sideBySide([at(A), at(A)])).rejects.toThrow('named twice');
  });
});

test('a hundred runs are outlined in a moment', async () => {
  const many = await temporaryFolder();
  const files = await Promise.all(
    ['recipe.yaml', 'summary.json', 'metrics.jsonl'].map(
      async (name) => [name, await readFile(at(`${A}/${name}`))] as const,
    ),
  );
  const step = `${JSON.stringify({ kind: 'step', step: 1, epoch: 1, loss: 1, gradientNorm: 1, learningRate: 1 })}\n`;
  for (let i = 0; i < 100; i++) {
    const path = join(many, `run-${i}`);
    await mkdir(path);
    for (const [name, content] of files) await writeFile(join(path, name), content);
    await appendFile(join(path, 'metrics.jsonl'), step.repeat(2000));
  }
  const begun = process.cpuUsage();
  const found = await findRuns([many]);
  for (const path of found) await outlineRun(path);
  expect(found).toHaveLength(100);
  expect(process.cpuUsage(begun).user).toBeLessThan(1e7);
});
