import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { confirmed } from '../../src/cli/runs/remove.js';
import { temporaryFolder } from '../data/temporary-folder.js';
import { writeDataset, writeRun } from '../report/made-up-run.js';

let folder = '';
let [a, b] = ['', ''];

beforeEach(async () => {
  folder = await temporaryFolder();
  const data = await writeDataset(join(folder, 'data'), { classes: ['Normal', 'rare'], images: 60 });
  a = await writeRun(join(folder, 'runs/first'), { data, skill: 0.5 });
  b = await writeRun(join(folder, 'runs/second'), { data, skill: 3, overrides: ['loss.name=asl'] });
  vi.stubEnv('LC_ALL', 'C.UTF-8');
  vi.stubEnv('FORCE_COLOR', undefined);
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  vi.resetModules();
  process.exitCode = undefined;
});

/** Runs the command in this process, as `node dist/cli/runs.js ...words` would. */
async function runs(...words: string[]): Promise<{ out: string; err: string; code: number }> {
  const printed = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[stream], 'write').mockImplementation((text) => {
      printed[stream] += text;
      return true;
    });
  }
  const argv = process.argv;
  process.argv = ['node', 'runs.js', ...words];
  try {
    await import('../../src/cli/runs.js');
  } finally {
    process.argv = argv;
  }
  const strip = (text: string) => text.replaceAll(folder, '');
  return { out: strip(printed.stdout), err: strip(printed.stderr), code: Number(process.exitCode ?? 0) };
}

describe('runs list', () => {
  test('is a table, sorted and chosen as asked', async () => {
    const summary = JSON.parse(await readFile(join(b, 'summary.json'), 'utf8'));
    const intervals = { validation: { mAP: { low: 0.1, high: 0.95 }, auroc: null }, test: null };
    await writeFile(join(b, 'summary.json'), JSON.stringify({ ...summary, intervals }));
    const { out, code } = await runs(join(folder, 'runs'), '--sort', 'mAP');
    expect(code).toBe(0);
    const [titles, first, second] = out.split('\n');
    expect(titles).toMatch(
      /^run +state +0 +1 +mAP +95 % interval +test mAP +loss +model +epochs +time +size +when$/,
    );
    expect(first).toMatch(
      /^\/runs\/second +finished +█+├\S* +0\.\d{3} +0\.100–0\.950 +0\.\d{3} +asl +resnet10 .* 5\/5 +1 min 3 s +\d+\.\d [KM]iB +20\d\d-/,
    );
    expect(second).toMatch(/^\/runs\/first +finished +█\S* +0\.\d{3} +– +0\.\d{3} +bce /);
    expect(out).toContain('2 runs, ');
    vi.resetModules();
    expect((await runs('list', join(folder, 'runs'), '--where', 'loss=asl')).out).not.toContain('first');
  });

  test('is JSON with numbers as they are', async () => {
    const { out } = await runs(join(folder, 'runs'), '--sort', 'name', '--json');
    const [first, second] = JSON.parse(out);
    expect(first).toMatchObject({
      path: '/runs/first',
      state: 'finished',
      loss: 'bce',
      epochs: { done: 5, planned: 5 },
    });
    expect(second.validation.mAP).toBeGreaterThan(first.validation.mAP);
  });

  test('of a folder without runs, or by a column that is none', async () => {
    expect((await runs(join(folder, 'data'))).out).toBe('no runs\n');
    vi.resetModules();
    expect(await runs(folder, '--sort', 'maps')).toMatchObject({
      err: 'error: there is no column "maps"; did you mean "mAP"?\n',
      code: 2,
    });
  });
});

test('runs compare says what differs, with the interval of the difference', async () => {
  const { out, code } = await runs('compare', a, b, '--resamples', '50');
  expect(code).toBe(0);
  expect(out).toMatch(/^A {2}\/runs\/first\nB {2}\/runs\/second\n\nsetting +A +B\nloss\.name +bce +asl$/m);
  expect(out).toMatch(/^B +█\S* +0\.\d{3} +0\.\d{3}–[01]\.\d{3} +\+0\.\d{3} \* +\+0\.\d{3} to \+0\.\d{3} /m);
  vi.resetModules();
  const json = JSON.parse((await runs('compare', a, b, '--resamples', '50', '--json')).out);
  expect(json.runs[1].difference.mAP.low).toBeGreaterThan(0);
  expect(json.settings).toContainEqual({ setting: 'loss.name', values: ['bce', 'asl'] });
});

describe('runs remove', () => {
  test('says what is lost, and leaves what is not of the run', async () => {
    await writeFile(join(a, 'notes.txt'), 'mine');
    const { out, code } = await runs('remove', a, b, '--yes');
    expect(code).toBe(0);
    expect(out).toMatch(
      /^\/runs\/first: finished, epochs 5\/5, validation mAP 0\.\d{3}, test mAP 0\.\d{3}$/m,
    );
    expect(out).toMatch(/^ {2}lost {5}5 files, \d+\.\d KiB: the weights of epoch 4, predictions$/m);
    expect(out).toMatch(/^ {2}stays {4}notes\.txt: not of the run; so its folder stays, too$/m);
    expect(out).toMatch(/^removed {4}2 runs, \d+\.\d KiB freed$/m);
    expect([existsSync(join(a, 'notes.txt')), existsSync(join(a, 'recipe.yaml')), existsSync(b)]).toEqual([
      true,
      false,
      false,
    ]);
  });

  test('removes nothing at all where one is running, or is no run, or nobody can be asked', async () => {
    await writeFile(join(b, '.lock'), `${process.pid} ${hostname()}`);
    expect((await runs('remove', a, b, '--yes')).err).toMatch(
      /^error: \/runs\/second is being written by process/,
    );
    vi.resetModules();
    expect((await runs('remove', a, join(folder, 'data'), '--yes')).err).toMatch(
      /^error: \/data holds nothing of a run/,
    );
    vi.resetModules();
    const asked = await runs('remove', a);
    expect(asked.err).toBe('error: nobody is there to ask: say --yes to remove these runs.\n');
    expect(asked.code).toBe(2);
    expect(existsSync(join(a, 'best.safetensors'))).toBe(true);
  });

  test.each([
    ['y\n', true],
    ['Yes\n', true],
    ['n\n', false],
    ['\n', false],
    ['', false],
    ['yesterday\n', false],
  ])('takes %j for %s', async (answer, expected) => {
    const input = Object.assign(new PassThrough(), { isTTY: true });
    const output = new PassThrough();
    input.end(answer);
    expect(await confirmed('Remove? ', input, output)).toBe(expected);
    expect(String(output.read())).toBe('Remove? ');
  });
});
