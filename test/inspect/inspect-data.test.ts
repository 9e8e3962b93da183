import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inspectData } from '../../src/inspect/inspect-data.js';
import type { Inspection } from '../../src/inspect/inspection.js';
import { formatInspection } from '../../src/inspect/inspection-text.js';
import { renderInspection } from '../../src/inspect/page/page.js';
import { parseRecipe } from '../../src/recipe/recipe.js';
import { temporaryFolder } from '../data/temporary-folder.js';
import { writePlantedData } from './planted-data.js';

const recipe = (...overrides: string[]) => parseRecipe('', { path: 'r.yaml', overrides });
const inspect = (path: string, ...overrides: string[]) =>
  inspectData(path, recipe(...overrides), { showIds: true });

describe('a data set with one of each', () => {
  let folder: string;
  let inspection: Inspection;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tailray-inspect-'));
    inspection = await inspect(
      await writePlantedData(folder),
      'preprocessing.size=[32, 32]',
      'sampler={name: class-aware}',
      'data.validationFraction=0.2',
    );
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const found = (level: string, what: RegExp) =>
    inspection.findings.filter((finding) => finding.level === level && what.test(finding.what));

  test('parts and classes are counted', () => {
    expect(inspection.parts.map(({ name, images }) => ({ name, images }))).toEqual([
      { name: 'train', images: 48 },
      { name: 'validation', images: 12 },
      { name: 'test', images: 20 },
    ]);
    const total = (of: (part: Inspection['parts'][number]) => number) =>
      inspection.parts.reduce((sum, part) => sum + of(part), 0);
    // 4 labels of the row without any, 2 of the one before
    expect(total(({ unknown }) => unknown)).toBe(6);
    expect(total(({ unlabelled }) => unlabelled)).toBe(1);
    const [normal, , , goitre] = inspection.classes;
    const positives = Object.values(normal!.parts).reduce((sum, each) => sum + each.positives, 0);
    // every third row of 60 and of 20
    expect(positives).toBe(20 + 7);
    expect(goitre).toMatchObject({ name: 'Goitre', prevalence: 0, group: 'tail' });
  });

  test.each([
    ['serious', /^1 patient has images in (train|validation) and test both/, /a10/],
    [
      'serious',
      /patients of 2 rows .* floating-point numbers, such as 1\.90E\+38: .*1 identifier remains, the most frequent on 2 rows/,
      /train\.csv, column "PatientID"/,
    ],
    ['serious', /^1 patient seems to be written in several ways/, /07 = 7/],
    [
      'serious',
      /^1 radiograph occurs several times, pixel by pixel, in two parts/,
      /train30\.png \((train|validation)\) = test3\.png \(test\)/,
    ],
    [
      'serious',
      /^2 of 80 images cannot be used \(1 missing, 1 notAnImage\)/,
      /nowhere\.png \(line 52\): .*train51\.png \(line 53\): is neither PNG, JPEG nor DICOM/,
    ],
    ['warning', /^1 row .* names no patient/, /PatientID/],
    ['warning', /^1 class has no positive in training/, /^Goitre$/],
    [
      'warning',
      /^1 image is labelled "Normal" and a finding at once/,
      /train21\.png \(line 23\): Normal, Effusion/,
    ],
    ['warning', /^1 training image .* has no known label at all/, null],
    ['warning', /^1 class has fewer than 10 positives in training/, /^Hernia \(\d\)$/],
    ['warning', /^test has fewer than 10 positives of 3 classes/, /Hernia \(2\)/],
    [
      'note',
      /^1 radiograph seems to occur several times, saved in different ways\.$/,
      /train40\.png .* = train41\.png/,
    ],
    ['note', /^\d[\d.]* % of the training labels are unknown/, /Normal/],
  ])('%s: %s', (level, what, where) => {
    const [finding, ...others] = found(level, what);
    expect(finding, inspection.findings.map((each) => each.what).join('\n')).toBeDefined();
    expect(others).toEqual([]);
    if (where === null) expect(finding?.where).toBeNull();
    else expect(finding?.where).toMatch(where);
  });

  test('worst first, and nothing that was not planted', () => {
    const order = ['serious', 'warning', 'note'];
    const levels = inspection.findings.map(({ level }) => order.indexOf(level));
    expect(levels).toEqual(levels.toSorted());
    expect(found('serious', /./)).toHaveLength(5);
  });

  test('pictures: sizes, depths, what is larger and smaller than the network’s', () => {
    const { pictures } = inspection;
    expect(pictures).toMatchObject({
      looked: 80,
      readable: 78,
      depths: { 8: 78, 16: 0 },
      enlarged: 0,
      distorted: 0,
    });
    expect(pictures?.sizes).toEqual([
      { width: 40, height: 40, images: 77 },
      { width: 64, height: 64, images: 1 },
    ]);
    expect(pictures?.inverted).toEqual([]);
  });

  test('the sampler asked for comes first, and pairs are counted as it visits them', () => {
    expect(inspection.samplers.map(({ choice, chosen }) => [choice.name, chosen])).toEqual([
      ['class-aware', true],
      ['repeat-factor', false],
      ['repeat-factor', false],
      ['square-root', false],
    ]);
    const { images, visits } = inspection.together!;
    expect(images.classes).toEqual(['Normal', 'Effusion', 'Hernia', 'Goitre']);
    const [before, after] = [images, visits].map((counted) => counted!.pairs[2 * 4 + 2]!);
    const hernia = inspection.samplers[0]!.frequencies.classes[2]!;
    expect(before).toBe(hernia.positives);
    expect(after).toBeCloseTo(hernia.after * 48, 9);
  });

  test('as text', () => {
    const text = formatInspection(inspection);
    expect(text).toMatch(/^parts {6}train +48 images of \d+ patients/m);
    expect(text).toMatch(
      /^pictures {3}78 of 80 are readable; 2 sizes, most often 40 × 40 \(77\); 78 of 8 bits$/m,
    );
    expect(text).toMatch(
      /^class +group +share +train \+ +patients \+ +validation \+ +test \+ +unknown +class-aware$/m,
    );
    expect(text).toMatch(/^SERIOUS {4}1 patient has .*\n {11}where: patients a10\n {11}do: {4}Move all/m);
  });

  test('counts patients and names none, unless it is asked to', async () => {
    const ids = /"[ab]\d+"|\b[ab]\d+\b|1\.90?E\+38|"07"/i;
    const hidden = await inspectData(folder, recipe('data.validationFraction=0.2'));
    expect(JSON.stringify(inspection)).toMatch(ids);
    expect(JSON.stringify(hidden)).not.toMatch(ids);
    expect(hidden.leaks[0]?.patients).toHaveLength(1);
    const [text, page] = [formatInspection(hidden), await renderInspection(hidden, recipe())];
    expect(text).toMatch(/1 patient has images in train and test both.*\n {11}where: named with --show-ids/);
    const body = page.replace(/data:[^"]*|<style>[\s\S]*<\/style>|<svg[\s\S]*?<\/svg>/g, '');
    for (const shown of [text, body]) expect(shown).not.toMatch(ids);
    expect(page).not.toContain(folder);
    const named = await renderInspection(inspection, recipe());
    expect(named).toContain('patients a10');
  });
});

describe('what cannot be inspected in full', () => {
  const table = (rows: readonly string[]) => `ImageID,PatientID,Mass\n${rows.join('\n')}\n`;

  test('one patient: no split, and the reason', async () => {
    const folder = await temporaryFolder({ 'a.csv': table(['1.png,p,1', '2.png,p,0']) });
    const inspection = await inspect(join(folder, 'a.csv'));
    expect(inspection.parts.map(({ name, images }) => [name, images])).toEqual([['train', 2]]);
    expect(inspection.findings[0]).toMatchObject({
      level: 'serious',
      what: expect.stringMatching(/cannot be split/),
    });
    expect(inspection.unsplit).toMatch(/2 images of 1 patients can't be split/);
  });

  test('no pictures, no patients, no labels', async () => {
    const rows = Array.from({ length: 12 }, (_, i) => `${i}.png,`);
    const folder = await temporaryFolder({ 'a.csv': `image,Mass\n${rows.join('\n')}\n` });
    const inspection = await inspect(join(folder, 'a.csv'), 'data.classes=[Mass]');
    expect(inspection.pictures).toBeNull();
    expect(inspection.picturesSkipped).toMatch(/there are none under .*--images/);
    expect(inspection.samplers).toEqual([]);
    const whats = inspection.findings.map(({ what }) => what).join('\n');
    expect(whats).toMatch(/names no patients/);
    expect(whats).toMatch(/1 class has no known label in training/);
    expect(formatInspection(inspection)).toContain('Mass');
  });

  test('twins, and classes that never come alone', async () => {
    const rows = Array.from({ length: 60 }, (_, i) => {
      const [a, b, c] = [i % 2, i % 2, i < 30 ? 1 : i % 2];
      return `${i}.png,p${i},${a},${b},${c}`;
    });
    const folder = await temporaryFolder({ 'a.csv': `ImageID,PatientID,A,B,C\n${rows.join('\n')}\n` });
    const { oddities, findings } = await inspect(join(folder, 'a.csv'));
    expect(oddities.twins).toEqual([{ names: ['A', 'B'], images: 30 }]);
    expect(oddities.implied.map(({ name, by }) => [name, by])).toEqual([
      ['A', 'C'],
      ['B', 'C'],
    ]);
    expect(findings.filter(({ what }) => /one class under two names/.test(what))).toHaveLength(1);
  });
});
