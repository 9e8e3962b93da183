import { appendFile, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { offerToLossFiles, readLossFile } from '../../src/recipe/loss-file.js';
import { describeLoss } from '../../src/report/describe-run.js';
import { prepareRun } from '../../src/train/run/prepare-run.js';
import { RunDirectory } from '../../src/train/run/run-directory.js';
import type { RunListener } from '../../src/train/run/run-event.js';
import { planRun, type RunRequest } from '../../src/train/run/run-plan.js';
import type { SessionOptions } from '../../src/train/run/session.js';
import { trainRun } from '../../src/train/run/train-run.js';
import { readCheckpoint } from '../../src/weights/checkpoint.js';
import { temporaryFolder } from '../data/temporary-folder.js';
import { testDevice } from '../device.js';
import { readmeLoss } from '../losses/readme-loss.js';
import { TINY_RECIPE, writeTinyDataset } from '../train/run/tiny-run.js';

let source: string;
beforeAll(async () => {
  offerToLossFiles('tailray', () => import('../../src/index.js'));
  source = await readmeLoss();
});

/** A folder with the README's loss, changed by `edit`, and all that a run needs. */
async function project(edit = (text: string) => text) {
  const folder = await temporaryFolder();
  const loss = join(folder, 'my-loss.ts');
  const recipe = join(folder, 'tiny.yaml');
  await writeFile(loss, edit(source));
  await writeFile(recipe, TINY_RECIPE);
  const data = await writeTinyDataset(join(folder, 'data'));
  return { loss, recipe, data, out: join(folder, 'run') };
}

async function train(request: RunRequest, options: Partial<SessionOptions> = {}) {
  const prepared = await prepareRun(await planRun(request), { cache: await temporaryFolder() });
  const notes: string[] = [];
  const listen: RunListener = (event) => {
    if (event.kind === 'note') notes.push(event.note);
  };
  const summary = await trainRun(prepared, { device: await testDevice(), listeners: [listen], ...options });
  return { ...prepared, summary, notes };
}

function changed(text: string, from: string, to: string): string {
  if (!text.includes(from)) throw new Error(`the README's loss has no "${from}"`);
  return text.replace(from, to);
}

describe('the loss of the README, copied into a file', () => {
  test('trains, and the run keeps what it was', async () => {
    const request = { ...(await project()), set: ['loss.margin=0.25'] };
    const { summary, recipe, run, notes } = await train(request);
    expect(summary.status).toBe('finished');
    expect(summary.loss).toMatchObject({
      name: '../my-loss.ts',
      margin: 0.25,
      labelSmoothing: 0,
      reduction: 'mean',
    });
    expect(notes[0]).toMatch(
      /the loss lifted agrees with its reference and with differences, to \d\.\de-\d+ at worst/,
    );
    expect(await readFile(join(run.path, 'loss.ts'), 'utf8')).toBe(source);
    // whoever reads the run needs no loss
    expect(await new RunDirectory(run.path).recipe()).toEqual(recipe);
    expect(recipe.loss.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(describeLoss(recipe)).toMatch(
      /^my-loss\.ts \(margin 0\.25, labelSmoothing 0, sha256 [0-9a-f]{12}…\)$/,
    );
    // and a checkpoint says nothing of folders
    expect((await readCheckpoint(run.best)).recipe).toMatchObject({
      loss: { name: 'my-loss.ts', margin: 0.25 },
    });
  });

  test('resumes with the copy, and a file that has changed since is noticed', async () => {
    const request = await project();
    await train(request, { stopAfter: 3 });
    await appendFile(request.loss, '// a second thought\n');
    const { notes, summary } = await train({ out: request.out, resume: true });
    expect(summary.status).toBe('finished');
    expect(notes[0]).toMatch(/WARNING: .*my-loss\.ts has changed since the run was begun.*run\/loss\.ts/);
    // named again, it is another loss
    await expect(train({ ...request, resume: true })).rejects.toThrow(/other settings.*loss\.sha256/);
    await rm(request.loss);
    expect((await planRun({ out: request.out, resume: true })).notes[0]).toMatch(/isn't there any more/);
    await appendFile(join(request.out, 'loss.ts'), '\n');
    await expect(planRun({ out: request.out, resume: true })).rejects.toThrow(
      /loss\.ts has changed.*restore it/,
    );
  });

  test('a run in its place is replaced with its copy', async () => {
    const request = await project();
    await train(request, { stopAfter: 1 });
    await train({ ...request, loss: 'bce', force: true }, { stopAfter: 1 });
    expect(await readdir(request.out)).not.toContain('loss.ts');
  });

  test.each([
    [
      'WGSL',
      [['minusLogQ, s.p - y);', 'minusLogQ, y - s.p);']],
      /the WGSL's slope is not the reference's: at x = \S+, y = \S+, class "(bright|striped)": expected (\S+), got (\S+)$/m,
    ],
    [
      'reference',
      [['slope: s.p - y', 'slope: y - s.p']],
      /the reference's slope is not the derivative of its value: at x = /,
    ],
    [
      'WGSL and reference',
      [
        ['minusLogQ, s.p - y);', 'minusLogQ, y - s.p);'],
        ['slope: s.p - y', 'slope: y - s.p'],
      ],
      /tried:\n {2}the reference's slope is not the derivative/,
    ],
    [
      'value of the WGSL',
      [['(1.0 - y) * s.minusLogQ,', '(y - 1.0) * s.minusLogQ,']],
      /the WGSL's value is not the reference's: at x = \S+, y = \S+, class/,
    ],
  ] as [string, [string, string][], RegExp][])(
    'a wrong sign in the %s stops before anything is written',
    async (_where, edits, message) => {
      const request = await project((text) =>
        edits.reduce((now, [from, to]) => changed(now, from, to), text),
      );
      const failed = await train(request).catch((error: Error) => error);
      if (!(failed instanceof Error)) throw new Error('it trained');
      expect(failed.message).toMatch(message);
      const [, , expected, got] = message.exec(failed.message) ?? [];
      if (expected !== undefined) expect(Number(got)).toBeCloseTo(-Number(expected), 5);
      await expect(readdir(request.out)).rejects.toThrow(/ENOENT/);
    },
  );

  test('WGSL that is not accepted is shown', async () => {
    const request = await project((text) => changed(text, 'let s', 'lett s'));
    await expect(train(request)).rejects.toThrow(/my-loss\.ts: its WGSL is not accepted: .*/);
  });

  test('parameters are its own', async () => {
    const request = await project();
    await expect(planRun({ ...request, set: ['loss.margn=1'] })).rejects.toThrow(
      /loss\.margn: .*did you mean "margin"/,
    );
    await expect(planRun({ ...request, set: ['loss.margin=-1'] })).rejects.toThrow(/loss "lifted": margin/);
  });
});

describe('a file that is no loss', () => {
  const read = async (name: string, text: string) => {
    const path = join(await temporaryFolder(), name);
    await writeFile(path, text);
    return readLossFile(path);
  };

  test('JavaScript will do', async () => {
    expect((await read('plain.mjs', source)).loss.name).toBe('lifted');
  });

  test.each([
    ['my.ts', 'export default 5', /default export must be what defineLoss gave/],
    ['my.ts', 'export default (;', /my\.ts: .*Unexpected token/],
    ['my.ts', "import { a } from './other.js'; export default a;", /other\.js.*a loss is one file/],
    ['my.ts', "throw new Error('boo')", /my\.ts: boo/],
    ['my.wgsl', 'fn loss() {}', /must be a module/],
  ])('%s: %s', async (name, text, message) => {
    await expect(read(name, text)).rejects.toThrow(message);
  });

  test('nor one that is missing', async () => {
    await expect(readLossFile('/nowhere/loss.ts')).rejects.toThrow(/there is no such file/);
  });
});
