import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { bootstrapInterval } from '../../src/eval/metrics/bootstrap.js';
import { delongInterval } from '../../src/eval/metrics/delong.js';
import {
  classColumn,
  classSummary,
  type ExaminedRun,
  examineRun,
  shapeOf,
} from '../../src/report/examine-run.js';
import { code, plain, table } from '../../src/report/markdown.js';
import { writeModelCard } from '../../src/report/model-card.js';
import { temporaryFolder } from '../data/temporary-folder.js';
import { NEVER, writeDataset, writeRun } from './made-up-run.js';

/** A card taken apart: its front matter, its sections by title, and the tables in them. */
function parseCard(text: string) {
  const [, yaml = '', body = ''] = /^---\n(.*?)\n---\n(.*)$/s.exec(text) ?? [];
  const sections = new Map<string, string>();
  for (const part of body.split(/^(?=## )/m)) {
    const title = /^## (.*)$/m.exec(part)?.[1] ?? '';
    sections.set(title, part);
  }
  return { front: parse(yaml), body, section: (title: string) => sections.get(title) ?? '' };
}

/** Cells of the tables of a text, a list of rows each, the header first. */
function tables(text: string): string[][][] {
  return text
    .split(/\n(?!\|)/)
    .map((part) => part.split('\n').filter((line) => line.startsWith('|')))
    .filter((lines) => lines.length > 0)
    .map((lines) =>
      lines
        .filter((_, i) => i !== 1)
        .map((line) =>
          line
            .slice(1, -1)
            .split(/(?<!\\)\|/)
            .map((cell) => cell.trim()),
        ),
    );
}

const CLASSES = ['Effusion', 'a|b *c*', 'Mass', 'Nodule', NEVER];

describe('the card of a run', () => {
  let folder: string;
  let run: ExaminedRun;
  let card: ReturnType<typeof parseCard>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tailray-card-'));
    const data = await writeDataset(join(folder, 'data'), { classes: CLASSES, images: 400 });
    const path = await writeRun(join(folder, 'a run'), { data, unreadable: ['3.png'] });
    run = await examineRun(path, { resamples: 50 });
    const written = await writeModelCard(join(path, 'best.safetensors'), { resamples: 50, license: 'mit' });
    expect(written).toMatchObject({ path: join(path, 'model-card.md'), written: true });
    card = parseCard(await readFile(written.path, 'utf8'));
  });

  afterAll(() => rm(folder, { recursive: true }));

  test('front matter as the hub reads it, with the measured numbers', () => {
    expect(card.front).toMatchObject({
      license: 'mit',
      library_name: 'tailray',
      pipeline_tag: 'image-classification',
      tags: expect.arrayContaining(['chest-x-ray', 'resnet10']),
    });
    const [result] = card.front['model-index'][0].results;
    expect(result.dataset.split).toBe('test');
    expect(result.metrics.map(({ value }: { value: number }) => value)).toEqual([
      run.primary!.summary.macro.mAP,
      run.primary!.summary.macro.auroc,
    ]);
  });

  test('test images are measured at the thresholds that are best on validation', () => {
    const { measured, summary } = run.primary!;
    expect(measured.thresholds).toEqual(
      run.validation!.summary.perClass.map(({ bestThreshold }) =>
        Number.isNaN(bestThreshold) ? 0.5 : bestThreshold,
      ),
    );
    expect(measured.macro.f1.estimate).toBeCloseTo(summary.macro.f1, 12);
    expect(measured.macro.fittedF1!.estimate).not.toBe(measured.macro.f1.estimate);
  });

  test('the headline has both means with their intervals', () => {
    const [rows] = tables(card.section(''));
    const { mAP, auroc } = run.primary!.intervals;
    expect(rows!.slice(1).map((row) => row.slice(1, 3))).toEqual(
      [mAP, auroc].map(({ estimate, low, high }) => [
        estimate.toFixed(3),
        `${low.toFixed(3)}–${high.toFixed(3)}`,
      ]),
    );
  });

  test('every class has its row: counts, AP and AUROC with intervals of its own', () => {
    const [groups, rows] = tables(card.section('Results'));
    expect(groups!.slice(1).map(([name, count]) => [name!.split(' ')[0], Number(count)])).toEqual(
      run.primary!.groups.map(({ name, classes }) => [name, classes]),
    );
    expect(rows!.slice(1).map(([name]) => name)).toEqual(run.classes.map(({ name }) => plain(name)));
    for (const [i, fact] of run.classes.entries()) {
      const { positives, ap, auroc } = classSummary(run.primary!, fact);
      const cells = rows![i + 1]!;
      expect(cells.slice(1, 5)).toEqual([
        fact.group ?? '–',
        expect.stringContaining('%'),
        String(fact.trainPositives),
        String(positives),
      ]);
      const { scores, targets, patients } = run.primary!;
      const alone = (metric: 'mAP' | 'auroc') => {
        const options = {
          ...shapeOf(run.primary!, run.classes),
          patients,
          resamples: 50,
          only: [fact.index],
        };
        const own = classColumn(run.primary!, fact);
        const { low, high } =
          metric === 'mAP'
            ? bootstrapInterval(metric, scores, targets, options)
            : delongInterval(own.scores, own.targets, { patients });
        return Number.isNaN(low) ? '–' : `${low.toFixed(3)}–${high.toFixed(3)}`;
      };
      const value = (number: number) => (Number.isNaN(number) ? '–' : number.toFixed(3));
      expect(cells.slice(5)).toEqual([value(ap), alone('mAP'), value(auroc), alone('auroc')]);
    }
  });

  test('a class without an interval has the reason under the table', () => {
    expect(card.section('Results')).toContain(`No interval of the AP: ${NEVER} (no positive target).`);
    expect(card.section('Results')).not.toContain('percentile');
  });

  test('the split, and what was left out of it', () => {
    const [rows] = tables(card.section('Data'));
    const { data } = run.record.summary!;
    for (const [i, part] of (['train', 'validation', 'test'] as const).entries()) {
      const { images, patients, unreadable } = data[part]!;
      expect(rows![i + 1]!.slice(0, 4)).toEqual([part, images, patients, unreadable].map(String));
      expect(rows![i + 1]![4]).toMatch(/^\d\.\d+ %$/);
    }
    expect(card.body).not.toContain(run.data!.path);
  });

  test('limits name the classes that nobody could learn or measure', () => {
    expect(card.section('Intended use and limits')).toContain(
      `Fewer than 10 positives in training: Nodule (8), ${NEVER} (0).`,
    );
    expect(card.section('Intended use and limits')).toContain(`not measured at all: ${NEVER}.`);
    expect(card.body).toContain('Not a medical device');
  });

  test('preprocessing, versions and adapter', () => {
    expect(card.section('Preparing an image')).toContain('Resize to 32 × 32');
    expect(card.section('Training')).toContain('adapter: `llvmpipe (made up)`');
    expect(card.section('Training')).toContain('tailray 0.0.0-test');
  });
});

test('without a test part the card says that validation flatters, everywhere', async () => {
  const folder = await temporaryFolder();
  const data = await writeDataset(join(folder, 'data'), { classes: ['x', 'y'], test: 0 });
  const path = await writeRun(join(folder, 'run'), { data });
  await writeModelCard(join(path, 'best.safetensors'), { resamples: 10 });
  const card = parseCard(await readFile(join(path, 'model-card.md'), 'utf8'));
  expect(card.front['model-index'][0].results[0].dataset.split).toBe('validation');
  expect(card.section('')).toContain(
    'validation part chose the epoch, so these scores are somewhat too good',
  );
  expect(card.section('Results')).toContain('| validation + |');
  expect(tables(card.section('Data'))[0]![3]!.slice(0, 2)).toEqual(['test', 'none']);
});

test('labels that are gone leave the recorded means, and what is missing is said', async () => {
  const folder = await temporaryFolder();
  const data = await writeDataset(join(folder, 'data'), { classes: ['x', 'y'] });
  const path = await writeRun(join(folder, 'run'), { data });
  const { record } = await examineRun(path);
  await rm(data, { recursive: true });
  await writeModelCard(join(path, 'best.safetensors'));
  const card = parseCard(await readFile(join(path, 'model-card.md'), 'utf8'));
  const [rows] = tables(card.section(''));
  expect(rows![1]!.slice(1, 3)).toEqual([record.summary!.test!.mAP!.toFixed(3), 'missing: no labels']);
  expect(card.section('Intended use and limits')).toContain('How it does on each class is missing');
  const [classes] = tables(card.section('Results'));
  expect(classes!.slice(1).map((row) => row.slice(3))).toEqual(
    [0, 1].map(() => ['–', '–', '–', '–', '–', '–']),
  );
});

test('a checkpoint on its own gets a card of what it says of itself', async () => {
  const folder = await temporaryFolder();
  const data = await writeDataset(join(folder, 'data'), { classes: ['x', 'y'] });
  const path = await writeRun(join(folder, 'run'), { data });
  await rm(join(path, 'recipe.yaml'));
  await writeModelCard(join(path, 'best.safetensors'), { out: folder });
  const card = parseCard(await readFile(join(folder, 'model-card.md'), 'utf8'));
  expect(card.front['model-index']).toBeUndefined();
  expect(card.section('Data')).toContain('Missing');
  expect(tables(card.section('Results'))[0]!.map(([name]) => name)).toEqual(['class', 'x', 'y']);
});

test('a card that somebody wrote into is left alone, and replaced when asked', async () => {
  const folder = await temporaryFolder({ 'model-card.md': 'my own words' });
  const data = await writeDataset(join(folder, 'data'), { classes: ['x', 'y'] });
  const best = join(await writeRun(join(folder, 'run'), { data }), 'best.safetensors');
  expect((await writeModelCard(best, { out: folder, resamples: 5 })).written).toBe(false);
  expect((await writeModelCard(best, { out: folder, resamples: 5, force: true })).written).toBe(true);
  // the same card again is no conflict
  expect((await writeModelCard(best, { out: folder, resamples: 5 })).written).toBe(true);
});

test('texts of others stay text', () => {
  expect(plain('a|b <script> [x](y)\n# _z_ a_b')).toBe('a\\|b \\<script\\> \\[x\\](y) \\# \\_z\\_ a_b');
  expect(code('a`b|c')).toBe('`` a`b¦c ``');
  expect(table([{ title: 'a' }, { title: 'n', number: true }], [['x', '12345']])).toBe(
    '| a   |     n |\n| :-- | ----: |\n| x   | 12345 |',
  );
});
