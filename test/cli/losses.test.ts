import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { registeredLosses } from '../../src/losses/registry.js';
import { readmeLoss } from '../losses/readme-loss.js';
import { TINY_RECIPE, writeTinyDataset } from '../train/run/tiny-run.js';
import { buildCommands, type Commands } from './commands.js';

let commands: Commands;
let folder: string;

beforeAll(async () => {
  commands = await buildCommands();
  folder = await mkdtemp(join(tmpdir(), 'tailray-cli-losses-'));
  await writeFile(join(folder, 'my-loss.ts'), await readmeLoss());
});
afterAll(async () => {
  await commands.remove();
  await rm(folder, { recursive: true, force: true });
});

describe('losses', () => {
  test('names every loss with its parameters', async () => {
    const { code, stdout } = await commands.run('losses', []);
    expect(code).toBe(0);
    for (const { name, summary } of registeredLosses())
      expect(stdout).toMatch(new RegExp(`^${name} +${summary}`, 'm'));
    expect(stdout).toMatch(/gammaNeg 4, gammaPos 1, margin 0\.05/);
  });

  test('tells what there is to know of one, be it in a file', async () => {
    const { stdout } = await commands.run('losses', ['asl']);
    expect(stdout).toMatch(/source: Ridnik et al\. 2021, arXiv 2009\.14119/);
    expect(stdout).toMatch(/gammaNeg +γ₋: how fast easy negatives lose weight \(default 4\)/);
    const own = await commands.run('losses', ['./my-loss.ts'], { cwd: folder });
    expect(own.stdout).toMatch(/^lifted: [\s\S]*margin +of positives \(default 0\.5\)/);
    const { code, stderr } = await commands.run('losses', ['alsl']);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/no loss is named "alsl"/)]);
  });
});

describe('train', () => {
  test('--loss with a file beside the data: checked, trained, and caught with a wrong sign', async () => {
    await writeFile(join(folder, 'tiny.yaml'), TINY_RECIPE);
    await writeTinyDataset(join(folder, 'data'));
    const words = ['--recipe', 'tiny.yaml', '--data', 'data', '--out', 'run', '--stop-after', '2'];
    const { code, stdout, stderr } = await commands.run('train', [...words, '--loss', './my-loss.ts'], {
      cwd: folder,
    });
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/the loss lifted agrees with its reference/);
    expect(stdout).toMatch(/stopped after step 2 and saved/);

    await writeFile(
      join(folder, 'wrong.ts'),
      (await readmeLoss()).replace('minusLogQ, s.p - y', 'minusLogQ, y - s.p'),
    );
    const wrong = await commands.run('train', [...words, '--force', '--loss', 'wrong.ts'], { cwd: folder });
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toMatch(
      /wrong\.ts is wrong, so nothing was trained[\s\S]*the WGSL's slope is not the reference's: at x = /,
    );
  });

  test('--help names the losses', async () => {
    const { stdout } = await commands.run('train', ['--help']);
    expect(stdout).toMatch(/Losses: bce, .*two-way/);
  });
});
