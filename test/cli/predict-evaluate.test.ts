import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeSafetensors } from '../../src/models/safetensors/safetensors.js';
import { formatPredictions, readPredictions } from '../../src/predict/predictions.js';
import { encodeCheckpoint, readCheckpoint } from '../../src/weights/checkpoint.js';
import { temporaryFolder } from '../data/temporary-folder.js';
import { TINY_RECIPE, writeTinyDataset } from '../train/run/tiny-run.js';
import { buildCommands, type Commands } from './commands.js';

let commands: Commands;
let folder: string;
let data: string;
let run: string;
let best: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailray-cli-predict-'));
  await writeFile(join(folder, 'tiny.yaml'), TINY_RECIPE);
  data = await writeTinyDataset(join(folder, 'data'));
  run = join(folder, 'run');
  best = join(run, 'best.safetensors');
  commands = await buildCommands();
  const words = ['--recipe', join(folder, 'tiny.yaml'), '--data', data, '--out', run, '--quiet'];
  const { code, stderr } = await commands.run('train', words);
  expect(code, stderr).toBe(0);
});

afterAll(async () => {
  await commands.remove();
  await rm(folder, { recursive: true, force: true });
});

/** Loaded into every thread of a command: notes the pictures that are opened. */
const SPY = `
const fs = require('node:fs');
const note = (path) => String(path).endsWith('.png') && fs.appendFileSync(process.env.OPENED, path + '\\n');
for (const [from, name] of [[fs.promises, 'open'], [fs.promises, 'readFile'], [fs, 'openSync'], [fs, 'readFileSync']]) {
  const original = from[name];
  from[name] = (path, ...others) => (note(path), original.call(from, path, ...others));
}
require('node:module').syncBuiltinESMExports();
`;

async function predict(...words: string[]) {
  const out = join(await temporaryFolder(), 'p.csv');
  const finished = await commands.run('predict', [...words, '--out', out]);
  return { ...finished, out };
}

describe('predict', () => {
  test('gives the scores that the run itself wrote, whatever the batch size', async () => {
    const own = (await readPredictions(join(run, 'predictions.csv'))).rows;
    const { code, stdout, stderr, out } = await predict(
      best,
      join(data, 'train.csv'),
      '--batch-size',
      '7',
      '--explain',
    );
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^op +where .*\n(.*\n)*all +\d+ ops.*\nmemory .*\nroof /m);
    const { rows, classes } = await readPredictions(out);
    expect(classes).toEqual(['bright', 'striped']);
    expect(rows).toHaveLength(24);
    for (const { image, probabilities } of own) {
      const row = rows.find((candidate) => candidate.image === image);
      for (const c of [0, 1]) expect(row?.probabilities?.[c]).toBeCloseTo(probabilities?.[c] ?? -1, 5);
    }
    // 24 images in batches of 7 end with a padded one; the same images alone fill theirs differently
    const few = await temporaryFolder({ 'few.csv': 'ImageID\n23.png\n2.png\n' });
    const alone = await predict(best, join(few, 'few.csv'), '--images', data, '--batch-size', '7');
    expect(alone.code, alone.stderr).toBe(0);
    for (const { image, probabilities } of (await readPredictions(alone.out)).rows) {
      expect(probabilities).toEqual(rows.find((row) => row.image === image)?.probabilities);
    }
  });

  test('with threads and a cache gives the same file, and the second start opens no picture', async () => {
    const plain = await predict(best, data);
    const spied = await temporaryFolder({ 'spy.cjs': SPY });
    const [cache, opened] = [join(spied, 'cache'), join(spied, 'opened')];
    const env = { TAILRAY_THREADS: '2', OPENED: opened, NODE_OPTIONS: `--require ${join(spied, 'spy.cjs')}` };
    for (const pictures of [24, 0]) {
      await writeFile(opened, '');
      const out = join(spied, `${pictures}.csv`);
      const words = [best, data, '--out', out, '--cache', cache];
      const { code, stderr } = await commands.run('predict', words, { env });
      expect(code, stderr).toBe(0);
      expect(await readFile(out)).toEqual(await readFile(plain.out));
      expect(new Set((await readFile(opened, 'utf8')).split('\n')).size - 1).toBe(pictures);
    }
    expect(await readdir(join(cache, 'pictures-v1'))).toEqual(['entries', 'partial', 'stamps']);
  });

  test('takes a folder of pictures, keeps a row for each, and --strict refuses', async () => {
    const pictures = await temporaryFolder({
      'broken.png': 'text',
      'empty.PNG': '',
      'readme.txt': 'not a picture',
    });
    await mkdir(join(pictures, 'sub'));
    await copyFile(join(data, 'images', '3.png'), join(pictures, 'sub', 'a.png'));
    const { code, stdout, stderr, out } = await predict(best, pictures);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/2 of 3 images can't be used/);
    const { rows } = await readPredictions(out);
    expect(
      rows.map(({ image, probabilities, note }) => [image, probabilities !== null, note !== '']),
    ).toEqual([
      ['broken.png', false, true],
      ['empty.PNG', false, true],
      ['sub/a.png', true, false],
    ]);
    const strict = await predict(best, pictures, '--strict');
    expect(strict.code).toBe(2);
    expect(strict.stderr).toMatch(/broken\.png/);
    await expect(readFile(strict.out)).rejects.toThrow(/ENOENT/);
  });

  test('writes a submission, which passes the check until it is changed', async () => {
    const at = await temporaryFolder({
      'list.csv': 'ImageID,bright,striped\n3.png,,\ngone.png,,\n1.png,,\n',
    });
    const [table, submission] = [join(at, 'list.csv'), join(at, 's.csv')];
    const words = [best, table, '--images', data, '--submission', submission];
    const { code, stdout, stderr, out } = await predict(...words);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(
      /submission: 2 columns in .*; 1 unreadable have each class's mean over the others: gone\.png/,
    );
    const { rows } = await readPredictions(out);
    const written = (await readPredictions(submission)).rows;
    expect(written.map(({ image }) => image)).toEqual(['3.png', 'gone.png', '1.png']);
    expect(written[0]!.probabilities).toEqual(rows[0]!.probabilities);
    const check = () => commands.run('submission', ['check', submission, '--table', table]);
    expect(await check()).toMatchObject({ code: 0, stdout: expect.stringMatching(/is fine: 3 images/) });
    await writeFile(submission, (await readFile(submission, 'utf8')).replace('gone.png', 'gone'));
    expect(await check()).toMatchObject({
      code: 2,
      stdout: expect.stringMatching(/line 3: image "gone" is not/),
    });
  });

  test('does not replace a file unasked', async () => {
    const out = join(await temporaryFolder({ 'p.csv': 'mine' }), 'p.csv');
    const { code, stderr } = await commands.run('predict', [best, data, '--out', out]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/exists already: replace it with --force/);
    expect(await readFile(out, 'utf8')).toBe('mine');
  });
});

describe('several views, several models, a gate', () => {
  test('views are merged, then models, then the gate acts', async () => {
    const checkpoint = await readCheckpoint(best);
    const { preprocessing, tensors } = checkpoint;
    // the same network with its classes the other way round, and another idea of brightness
    const turned = new Map(tensors);
    for (const [name, tensor] of tensors) {
      if (!name.startsWith('fc.') || tensor.dtype !== 'F32') continue;
      const half = tensor.data.length / 2;
      const data = Float32Array.of(...tensor.data.subarray(half), ...tensor.data.subarray(0, half));
      turned.set(name, { ...tensor, data });
    }
    const other = { ...checkpoint, tensors: turned, classes: ['striped', 'bright'] };
    const at = await temporaryFolder({
      'other.safetensors': await encodeCheckpoint({
        ...other,
        preprocessing: { ...preprocessing, mean: preprocessing.mean.map((mean) => mean + 0.2) as [number] },
      }),
      'few.csv': 'ImageID\n5.png\n2.png\n',
    });
    const second = join(at, 'other.safetensors');
    const scores = async (...words: string[]) => {
      const { code, stderr, out, stdout } = await predict(...words, join(at, 'few.csv'), '--images', data);
      expect(code, stderr).toBe(0);
      const { classes, rows } = await readPredictions(out);
      return { classes, stdout, rows: rows.map(({ probabilities }) => Array.from(probabilities!)) };
    };
    const views = ['--tta', 'flip', '--tta-merge', 'max'];
    const [one, two, plain] = [
      await scores(best, ...views),
      await scores(second, ...views),
      await scores(best),
    ];
    expect(two.classes).toEqual(['striped', 'bright']);
    expect(two.rows.flat()).not.toEqual(one.rows.flatMap((row) => row.toReversed()));
    // of the image as it is and its mirror image, the larger score
    const larger = one.rows.flat().map((score, i) => score - plain.rows.flat()[i]!);
    expect(Math.min(...larger)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...larger)).toBeGreaterThan(1e-4);
    const gate = ['--normal-gate', '2', '--normal-class', 'bright'];
    const all = await scores(best, second, ...views, '--weights', '1,3', ...gate);
    expect(all.stdout).toMatch(/scores gated by bright, alpha 2\.\n2 rows for 2 classes of 2 models/);
    for (const [i, [bright, striped]] of one.rows.entries()) {
      const means = [(bright! + 3 * two.rows[i]![1]!) / 4, (striped! + 3 * two.rows[i]![0]!) / 4];
      expect(all.rows[i]![0]).toBeCloseTo(means[0]!, 6);
      expect(all.rows[i]![1]).toBeCloseTo(means[1]! * (1 - means[0]!) ** 2, 6);
    }
    for (const [words, message] of [
      [[best, second, data, '--weights', '1'], /--weights has 1 numbers for 2 checkpoints/],
      [[best], /missing required argument 'data'/],
    ] as const) {
      const refused = await predict(...words);
      expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(message)]);
    }
  });
});

describe('a checkpoint that can’t be used ends with code 2 and nothing written', () => {
  test.each([
    ['cut short', async () => (await readFile(best)).subarray(0, 900), /cut short/],
    [
      'a flipped byte',
      async () => {
        const bytes = await readFile(best);
        bytes[bytes.length - 9]! ^= 255;
        return bytes;
      },
      /content has changed since it was written/,
    ],
    [
      'other weights',
      async () => writeSafetensors((await readCheckpoint(best)).tensors),
      /no checkpoint of tailray/,
    ],
    [
      'another network',
      async () => {
        const checkpoint = await readCheckpoint(best);
        return encodeCheckpoint({ ...checkpoint, model: { ...checkpoint.model, width: 8 } });
      },
      /in the file +in the model\n +conv1\.weight +\[4, 1, 3, 3\] +\[8, 1, 3, 3\]/,
    ],
    [
      'other classes',
      async () => {
        const checkpoint = await readCheckpoint(best);
        return encodeCheckpoint({ ...checkpoint, classes: ['bright'] });
      },
      /names 1 classes for 2 outputs/,
    ],
    ['a text', async () => Buffer.from('hello'), /no safetensors file/],
  ])('%s', async (_, content, message) => {
    const at = await temporaryFolder({ 'c.safetensors': await content() });
    const { code, stderr, out } = await predict(join(at, 'c.safetensors'), data);
    expect(stderr).toMatch(message);
    expect(stderr).toContain('c.safetensors');
    expect(stderr).not.toMatch(/\n +at /);
    expect(code).toBe(2);
    await expect(readFile(out)).rejects.toThrow(/ENOENT/);
  });

  test('nothing to predict on', async () => {
    const empty = await temporaryFolder();
    expect((await predict(best, empty)).stderr).toMatch(/holds no PNG, JPEG or DICOM file/);
    expect((await predict(best, join(empty, 'no.csv'))).stderr).toMatch(/no such file or folder/);
    expect((await predict(join(empty, 'no'), data)).stderr).toMatch(/there is no such file/);
    expect(await readdir(empty)).toEqual([]);
  });
});

describe('evaluate', () => {
  const evaluate = (...words: string[]) => commands.run('evaluate', words);

  test('a run, its checkpoint and its predictions agree', async () => {
    const json = async (...words: string[]) => {
      const file = join(await temporaryFolder(), 'e.json');
      const { code, stdout, stderr } = await evaluate(...words, '--json', file, '--resamples', '50');
      expect(code, stderr).toBe(0);
      expect(stdout).toMatch(/macro mAP +[\d.]+ \((?:95 % interval|no interval) over patients: ./);
      return JSON.parse(await readFile(file, 'utf8'));
    };
    const whole = await json(run);
    expect(whole).toMatchObject({ part: 'validation', images: 6, groupedBy: 'training prevalence' });
    const summary = JSON.parse(await readFile(join(run, 'summary.json'), 'utf8'));
    expect(whole.macro.mAP).toBe(summary.validation.mAP);
    const table = ['--data', join(data, 'train.csv')];
    const predictions = await json(join(run, 'predictions.csv'), ...table);
    expect(predictions.macro).toEqual(whole.macro);
    expect(predictions.measured.macro).toEqual(whole.measured.macro);
    const all = await json(best, ...table);
    expect(all).toMatchObject({ part: 'all', images: 24, unreadable: [] });
  });

  test('--json alone prints JSON and nothing else, remarks included', async () => {
    const words = [run, '--resamples', '50', '--tau-norm', '1', '--logit-adjust', '1', '--json'];
    const { code, stdout, stderr } = await evaluate(...words);
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ subject: run, part: 'validation', images: 6 });
    expect(stderr).toMatch(/tau 1/);
  });

  test('a test part has F1 at the thresholds that are best on validation', async () => {
    const own = await readPredictions(join(run, 'predictions.csv'));
    const rows = own.rows.map((row, i) => ({ ...row, split: i % 2 ? 'test' : 'validation' }));
    const at = await temporaryFolder({ 'p.csv': formatPredictions({ classes: own.classes, rows }) });
    const words = [join(at, 'p.csv'), '--data', join(data, 'train.csv'), '--resamples', '20', '--json'];
    const { code, stdout, stderr } = await evaluate(...words);
    expect(code, stderr).toBe(0);
    const { part, thresholds, measured } = JSON.parse(stdout);
    expect([part, thresholds]).toEqual(['test', null]);
    const validation = JSON.parse((await evaluate(...words, '--part', 'validation')).stdout);
    const best = validation.perClass.map((row: { bestThreshold: number | null }) => row.bestThreshold ?? 0.5);
    expect(measured.thresholds).toEqual(best);
    expect(validation.measured.macro.fittedF1).toBe(null);
  });

  test('two subjects are held against each other', async () => {
    const at = await temporaryFolder({
      'other.csv': (await readFile(join(run, 'predictions.csv'), 'utf8'))
        .replace('ImageID,bright', 'ImageID,bright too')
        .split('\n')
        .slice(0, -2)
        .join('\n'),
    });
    const file = join(at, 'e.json');
    const words = [run, join(at, 'other.csv'), '--data', join(data, 'train.csv'), '--resamples', '50'];
    const { code, stdout, stderr } = await evaluate(...words, '--json', file);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^images in the first alone, left out \(19\): .* and 9 more$/m);
    expect(stdout).toMatch(/^classes in the first alone, left out \(1\): bright$/m);
    expect(stdout).toMatch(/^classes in the second alone, left out \(1\): bright too$/m);
    const { images, parts, perClass } = JSON.parse(await readFile(file, 'utf8'));
    expect([images, parts, perClass.length]).toEqual([5, ['all', 'validation'], 1]);
    const self = await evaluate(run, run, '--resamples', '50');
    expect(self.code, self.stderr).toBe(0);
    expect(self.stdout).toMatch(/^macro +[\d.]+ +[\d.]+ +\+0\.000 \+0\.000 to \+0\.000 +1\.000 /m);
  });

  test.each([
    [() => [run, run, '--fit-thresholds', join(folder, 't.csv')], /--fit-thresholds is for one model/],
    [() => [join(run, 'predictions.csv')], /say with --data which labels/],
    [() => [run, '--part', 'test'], /has no rows of the test part; it has validation/],
    [() => [best, '--data', data, '--part', 'test'], /the data bring no test part/],
    [() => [join(folder, 'nothing')], /there is no such file or folder/],
    [() => [data], /holds no run/],
    [() => [run, '--part', 'some'], /Allowed choices are/],
  ])('what can’t be evaluated ends with code 2 (%#)', async (words, message) => {
    const { code, stderr } = await evaluate(...words());
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n +at /);
    expect(code).toBe(2);
  });
});

describe('--logit-adjust', () => {
  test('predict and evaluate take the frequencies of the training off, and AP stays', async () => {
    const table = join(data, 'train.csv');
    const [plain, adjusted] = [await predict(best, table), await predict(best, table, '--logit-adjust', '1')];
    expect(adjusted.code, adjusted.stderr).toBe(0);
    expect(adjusted.stdout).toMatch(/logits adjusted by the class frequencies of the training, tau 1/);
    const { prevalence } = await readCheckpoint(best);
    const logits = async (path: string) =>
      (await readPredictions(path)).rows.map(({ probabilities }) =>
        Array.from(probabilities!, (p) => Math.log(p / (1 - p))),
      );
    const [before, after] = [await logits(plain.out), await logits(adjusted.out)];
    for (const [i, row] of after.entries()) {
      for (const [c, x] of row.entries()) {
        const prior = prevalence[c]!;
        expect(x).toBeCloseTo(before[i]![c]! - Math.log(prior / (1 - prior)), 4);
      }
    }
    const mAP = (text: string) => /macro mAP +([\d.]+)/.exec(text)?.[1];
    const first = await commands.run('evaluate', [run, '--resamples', '10']);
    const second = await commands.run('evaluate', [run, '--resamples', '10', '--logit-adjust', '1']);
    expect(second.stdout).toMatch(/^logits adjusted/);
    expect(mAP(first.stdout)).toBeDefined();
    expect(mAP(second.stdout)).toBe(mAP(first.stdout));
    const unknown = await commands.run('evaluate', [plain.out, '--data', table, '--logit-adjust', '1']);
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringMatching(/needs a run or a checkpoint/)]);
  });
});

describe('--tau-norm', () => {
  test('auto takes the τ with the best F1 on validation; predict takes a number', async () => {
    const auto = await commands.run('evaluate', [run, '--resamples', '10', '--tau-norm', 'auto']);
    expect(auto.code, auto.stderr).toBe(0);
    const tried = /macro F1 at 0\.5 on validation by tau: (.*)/.exec(auto.stdout)?.[1]?.split(', ') ?? [];
    const scores = tried.map((each) => Number(each.split(': ')[1]));
    expect(scores).toHaveLength(11);
    const least = scores.indexOf(Math.max(...scores)) / 10;
    expect(auto.stdout).toContain(`rows of the classifier normalised, tau ${least}.`);
    const table = join(data, 'train.csv');
    const [plain, halved] = [await predict(best, table), await predict(best, table, '--tau-norm', '0.5')];
    expect(halved.stdout).toMatch(/rows of the classifier normalised, tau 0\.5/);
    expect(await readFile(halved.out, 'utf8')).not.toBe(await readFile(plain.out, 'utf8'));
    const wrong = await commands.run('evaluate', [run, '--tau-norm', '2']);
    expect(wrong.stderr).toMatch(/auto or a number from 0 to 1/);
    const unknown = await commands.run('evaluate', [plain.out, '--data', table, '--tau-norm', '1']);
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringMatching(/know no classifier/)]);
  });
});
