import { copyFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runFiles } from '../../src/train/run-files.js';
import { ask } from '../dashboard/asking.js';
import { temporaryFolder } from '../data/temporary-folder.js';
import { TINY_RECIPE, writeTinyDataset } from '../train/run/tiny-run.js';
import { buildCommands, type Commands, type RunOptions } from './commands.js';

let commands: Commands;
let folder: string;
let recipe: string;
let data: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailray-cli-train-'));
  recipe = join(folder, 'tiny.yaml');
  await writeFile(recipe, TINY_RECIPE);
  data = await writeTinyDataset(join(folder, 'data'));
  commands = await buildCommands();
});

afterAll(async () => {
  await commands.remove();
  await rm(folder, { recursive: true, force: true });
});

const train = (words: readonly string[], options?: RunOptions) => commands.run('train', words, options);

async function freshOut(): Promise<string> {
  return join(await temporaryFolder(), 'run');
}

describe('train', () => {
  test('says what it will do, trains, and says what came of it', async () => {
    const out = await freshOut();
    const { code, stdout, stderr } = await train([
      '--recipe',
      recipe,
      '--data',
      data,
      '--out',
      out,
      '--explain',
    ]);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/train 18 images of 9 patients, validation 6 images of 3 patients/);
    expect(stdout).toMatch(/all 24 images are readable/);
    expect(stdout).toMatch(/sampler {4}shuffled: 18 visits an epoch, each once/);
    expect(stdout).toMatch(/adapter {4}\S/);
    expect(stdout).toMatch(/resnet10, width 4, stem small-stride2: [\d,]+ parameters/);
    expect(stdout).toMatch(/loss {7}bce \(/);
    expect(stdout).toMatch(/12 of 12: 3 epochs of 4 batches of 4 images/);
    expect(stdout).toMatch(/memory {5}[\d.]+ [KM]iB at the peak/);
    expect(stdout).toMatch(
      /plan {7}epoch ≈ [\d.]+ m?s \(4 steps of [\d.]+ m?s\), validation ≈ [\d.]+ m?s; whole run ≈ [\d.]+ m?s/,
    );
    expect(stdout).toMatch(/op +where +shapes +kernel +bytes +FLOPs .*\n(.*\n)*all +\d+ ops, \d+ dispatches/);
    expect(stdout).toMatch(
      /epoch 3\/3 {2}loss [\d.]+ {2}validation mAP [\d.]+ \(guess [\d.]+\) {2}AUROC [\d.]+/,
    );
    expect(stdout).toMatch(/validation mAP [\d.]+ \(guess [\d.]+\), AUROC/);
    expect(stderr).not.toMatch(/SIMULATED/);
    expect((await readdir(out)).sort()).toEqual([
      'best.safetensors',
      'last',
      'metrics.jsonl',
      'model-card.md',
      'predictions.csv',
      'recipe.yaml',
      'summary.json',
    ]);
    expect((await runFiles(out)).foreign).toEqual([]);
    expect(stdout).toMatch(
      /^classes {4}on validation, .* 95 % intervals over patients\nclass +group +positives +0 +1 +AP /m,
    );

    const again = await train(['--recipe', recipe, '--data', data, '--out', out]);
    expect(again.code).toBe(2);
    expect(again.stderr).toMatch(/holds a run already \(recipe\.yaml.*--resume.*--force/);

    const other = await train(['--resume', '--out', out, '--set', 'optimizer.lr=1']);
    expect(other.code).toBe(2);
    expect(other.stderr).toMatch(/begun with other settings.*optimizer\.lr: 0\.01 → 1/);

    const replaced = await train([
      ...['--recipe', recipe, '--data', data, '--out', out],
      ...['--force', '--quiet', '--stop-after', '1', '--seed', '3'],
    ]);
    expect(replaced.code, replaced.stderr).toBe(0);
    expect(replaced.stdout).toMatch(/^stopped after step 1 and saved/);
    expect(await readFile(join(out, 'recipe.yaml'), 'utf8')).toMatch(/^seed: 3$/m);
    expect(await readdir(out)).not.toContain('best.safetensors');
  });

  test('--lr-find trains no run, and leaves a picture, a table and two rates', async () => {
    const out = await freshOut();
    const words = ['--recipe', recipe, '--data', data, '--out', out, '--lr-find', '1e-6:1:40'];
    const { code, stdout, stderr } = await train(words);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^lr-find {4}\d+ of 40 rates from 1e-6 to 1e\+0, a step each: /m);
    expect(stdout).toMatch(/^suggested /m);
    expect((await readdir(out)).sort()).toEqual(['lr-find.csv', 'lr-find.svg']);
    const table = await readFile(join(out, 'lr-find.csv'), 'utf8');
    expect(table).toMatch(/^step,learningRate,loss,smoothedLoss\n1,0\.000001,/);
    const again = await train(words);
    expect(again.code).toBe(2);
    expect(again.stderr).toMatch(/lr-find\.svg exists already: replace it with --force/);
    const other = await train([...words, '--stage', 'second', '--force']);
    expect(other.code).toBe(2);
    expect(other.stderr).toMatch(/--stage second: the recipe has no such stage; it has 1\./);
  });

  test('Ctrl-C finishes the step, saves, exits with 130, and --resume gives the bytes of a run in one go', async () => {
    const words = ['--recipe', recipe, '--data', data, '--set', 'schedule.epochs=20'];
    const [whole, broken] = [await freshOut(), await freshOut()];
    const first = await train([...words, '--out', whole, '--quiet']);
    expect(first.code, first.stderr).toBe(0);
    let sent = false;
    const { code, stdout, stderr } = await train([...words, '--out', broken], {
      onOutput: (printed, child) => {
        if (!sent && /epoch +2\/20/.test(printed)) {
          sent = child.kill('SIGINT');
        }
      },
    });
    expect(code, stderr).toBe(130);
    expect(stderr).toMatch(/Stopping: the step in hand is finished and saved/);
    expect(stdout).toContain(`Go on with: npx tailray train --resume --out ${broken}`);
    expect(await readdir(broken)).not.toContain('predictions.csv');
    const resumed = await train(['--resume', '--out', broken]);
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(resumed.stdout).toMatch(/resumed after step \d+\./);
    for (const name of ['best.safetensors', 'predictions.csv', 'last/step-80/params.safetensors']) {
      expect(await readFile(join(broken, name))).toEqual(await readFile(join(whole, name)));
    }
  });

  test('--dashboard says where the run can be seen, and holds up neither run nor exit', async () => {
    const out = await freshOut();
    const words = ['--recipe', recipe, '--data', data, '--out', out, '--quiet'];
    let opened: Promise<number> | undefined;
    const { code, stdout, stderr } = await train([...words, '--dashboard', '0'], {
      onOutput: (printed) => {
        const [address] = /http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{43}/.exec(printed) ?? [];
        if (address) opened ??= ask(address).then(({ status }) => status);
      },
    });
    expect(code, stderr).toBe(0);
    expect(await opened).toBe(303);
    expect(stdout).toMatch(
      /^dashboard {2}http.*\(works once\)\ndashboard {2}opened\. For another browser: http/,
    );
    for (const [given, message] of [
      [['--dashboard', '65536'], /A port is a number up to 65535/],
      [['--dashboard', '--lr-find'], /--dashboard shows a training, and --lr-find trains no run/],
    ] as const) {
      const refused = await train([...words, ...given]);
      expect(refused.code).toBe(2);
      expect(refused.stderr).toMatch(message);
    }
  });

  test('a second Ctrl-C exits at once', async () => {
    const out = await freshOut();
    let sent = 0;
    const { code, stdout } = await train(
      [
        '--recipe',
        recipe,
        '--data',
        data,
        '--out',
        out,
        '--set',
        'schedule.epochs=100000',
        '--set',
        'logEvery=10000',
      ],
      {
        onOutput: (printed, child) => {
          if (sent === 0 && /memory /.test(printed)) {
            sent = 1;
            child.kill('SIGINT');
            child.kill('SIGTERM');
          }
        },
      },
    );
    expect(code).toBe(130);
    expect(stdout).not.toMatch(/Go on with/);
  });

  test('--tune measures kernels once, says so, and remembers', async () => {
    const env = { TAILRAY_CACHE: await temporaryFolder() };
    const words = ['--recipe', recipe, '--data', data, '--stop-after', '1'];
    const tuned = await train([...words, '--out', await freshOut(), '--tune'], { env });
    expect(tuned.code, tuned.stderr).toBe(0);
    const said = /^kernels {4}(\d+) problems measured in \d+ s and remembered/m;
    expect(tuned.stdout).toMatch(said);
    const [file, ...others] = await readdir(join(env.TAILRAY_CACHE, 'tuned'));
    expect(others).toEqual([]);
    const lines = (await readFile(join(env.TAILRAY_CACHE, 'tuned', file ?? ''), 'utf8')).split('\n');
    expect(lines.filter((line) => line !== '').length).toBeGreaterThanOrEqual(
      Number(said.exec(tuned.stdout)?.[1]),
    );
    const again = await train([...words, '--out', await freshOut(), '--tune', '--explain', 'all'], { env });
    expect(again.code, again.stderr).toBe(0);
    expect(again.stdout).not.toMatch(/measured in/);
    expect(again.stdout).toMatch(/ \(tuned\) /);
    const without = await train([...words, '--out', await freshOut(), '--no-tune', '--explain'], { env });
    expect(without.code, without.stderr).toBe(0);
    expect(without.stdout).not.toMatch(/ \(tuned\) /);
  });

  test('without data it draws phantoms, keeps them, and says so loudly', async () => {
    const cache = await temporaryFolder();
    const small = join(folder, 'phantoms.yaml');
    await writeFile(
      small,
      `${TINY_RECIPE}\n`.replace(
        'validationFraction: 0.25',
        'validationFraction: 0.2, phantoms: {images: 30}',
      ),
    );
    const words = (out: string) => ['--recipe', small, '--out', out, '--stop-after', '1'];
    const { code, stderr } = await train(words(await freshOut()), { env: { TAILRAY_CACHE: cache } });
    expect(code, stderr).toBe(0);
    expect(stderr.match(/SIMULATED DATA[\s\S]*Never for clinical use/g)).not.toBeNull();
    const [kept] = await readdir(join(cache, 'phantoms'));
    expect(kept).toMatch(/^30-images-16px-/);
  });
});

describe('input that can’t be used ends with code 2, its place, and nothing written', () => {
  /** A copy of the data with one thing changed. */
  async function damaged(
    change: (folder: string, table: string) => Promise<string | undefined>,
  ): Promise<string> {
    const copy = await writeTinyDataset(await temporaryFolder());
    const table = await readFile(join(copy, 'train.csv'), 'utf8');
    const changed = await change(copy, table);
    if (changed !== undefined) await writeFile(join(copy, 'train.csv'), changed);
    return copy;
  }

  const inTable = (from: RegExp, to: string) => async (_: string, table: string) => table.replace(from, to);

  test.each([
    [
      'label x',
      inTable(/^4\.png,p2,0/m, '4.png,p2,x'),
      /train\.csv, line 6, column "bright": "x" is not a label/,
    ],
    ['duplicate columns', inTable(/striped/, 'bright'), /line 1, column "bright": occurs twice/],
    ['a ragged row', inTable(/^3\.png.*$/m, '3.png,p1,1,0,1'), /line 5: 5 fields where the header has 4/],
    [
      'no positives at all',
      async (_: string, table: string) => table.replaceAll(/,[01],[01]?$/gm, ',0,0'),
      /no class has a positive label/,
    ],
    ['no labels', inTable(/[\s\S]*/, 'ImageID,PatientID\n0.png,a\n'), /train\.csv/],
    [
      'too few images',
      async (_: string, table: string) => table.split('\n').slice(0, 4).join('\n'),
      /don't fill one batch of 4/,
    ],
    ['an empty table', async () => '', /empty/],
  ])('%s', async (_, change, message) => {
    const out = await freshOut();
    const { code, stderr } = await train(['--recipe', recipe, '--data', await damaged(change), '--out', out]);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n +at /);
    expect(code).toBe(2);
    await expect(readdir(out)).rejects.toThrow(/ENOENT/);
  });

  test.each([
    [['--set', 'optimizer.lrr=1'], /did you mean "lr"/],
    [['--set', 'loss.name=asll'], /did you mean "asl"/],
    [['--set', 'model.arch=resnet19'], /there is no architecture "resnet19"/],
    [['--set', 'model.weights=/nowhere/w.safetensors'], /\/nowhere\/w\.safetensors: there is no such file/],
    [['--adapter', 'no such adapter'], /no such adapter/i],
    [['--seed', 'x'], /It must be a whole number/],
    [['--frobnicate'], /unknown option/],
    [['--resume'], /holds no run to resume/],
    [['--lr-find', '1:0.1'], /two rates and a number of steps/],
    [['--stage', '2'], /--stage goes with --lr-find/],
    [['--on-divergence', 'pray'], /Allowed choices are stop, rollback/],
    [['--set', 'checkpoint.keep=2', '--set', 'data.validationFraction=0'], /checkpoint\.keep ranks epochs/],
  ])('%j', async (words, message) => {
    const out = await freshOut();
    const { code, stderr } = await train(['--recipe', recipe, '--data', data, '--out', out, ...words]);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n +at /);
    expect(code).toBe(2);
    await expect(readdir(out)).rejects.toThrow(/ENOENT/);
  });

  test('unreadable images are listed, left out, and refused by --strict', async () => {
    const copy = await damaged(async (at, table) => {
      await truncate(join(at, 'images', '3.png'), 60);
      await writeFile(join(at, 'images', '4.png'), 'this is a text');
      await writeFile(join(at, 'images', '5.png'), '');
      await rm(join(at, 'images', '6.png'));
      await copyFile(join(at, 'images', '0.png'), join(at, 'outside.png'));
      return `\uFEFF${table.replace(/^7\.png/m, '"../../../../etc/passwd"').replaceAll('\n', '\r\n')}`;
    });
    const out = await freshOut();
    const words = ['--recipe', recipe, '--data', copy, '--out', out, '--set', 'batchSize=2'];
    const strict = await train([...words, '--strict']);
    expect(strict.code).toBe(2);
    expect(strict.stderr).toMatch(/images can't be used/);
    await expect(readdir(out)).rejects.toThrow(/ENOENT/);

    const { code, stdout, stderr } = await train(words);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/5 of 24 images can't be used/);
    for (const what of [
      /line 5, 3\.png/,
      /line 6, 4\.png/,
      /line 7, 5\.png: the file has zero bytes/,
      /line 8, 6\.png/,
    ]) {
      expect(stdout).toMatch(what);
    }
    expect(stdout).toMatch(/line 9, \.\.\/\.\.\/\.\.\/\.\.\/etc\/passwd: leads outside the image folder/);
    const summary = JSON.parse(await readFile(join(out, 'summary.json'), 'utf8'));
    expect(summary.data.train.unreadable + summary.data.validation.unreadable).toBe(5);
  });

  test('a damaged saved state is refused by --resume, with the file', async () => {
    const out = await freshOut();
    const begun = await train(['--recipe', recipe, '--data', data, '--out', out, '--stop-after', '2']);
    expect(begun.code, begun.stderr).toBe(0);
    const file = join(out, 'last/step-2/params.safetensors');
    const bytes = await readFile(file);
    bytes[bytes.length - 5]! ^= 4;
    await writeFile(file, bytes);
    const { code, stderr } = await train(['--resume', '--out', out]);
    expect(code).toBe(2);
    expect(stderr).toContain(`${file}: was cut short or changed since it was saved`);
  });
});
