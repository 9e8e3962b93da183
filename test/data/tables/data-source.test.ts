import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openDataset } from '../../../src/data/dataset.js';
import { preprocessingSchema } from '../../../src/data/images/preprocessing.js';
import { scanImages } from '../../../src/data/images/scan.js';
import { type DataPart, resolveDataSource } from '../../../src/data/tables/data-source.js';
import { patientsOf } from '../../../src/data/tables/split.js';
import { greyValues } from '../images/reference-images.js';
import { missingSharedData, sharedData } from '../shared-data.js';
import { temporaryFolder } from '../temporary-folder.js';

const header = 'ImageID,StudyDate_DICOM,PatientID,Mass,Edema\n';
const rows = (from: number, to: number) =>
  Array.from(
    { length: to - from },
    (_, i) => `${from + i}.png,1,p${from + i},${i % 2},${i % 3 ? 0 : 1}\n`,
  ).join('');
const imagesOf = ({ table, indices }: DataPart) => Array.from(indices, (i) => table.rows[i]?.image);
const sizes = (source: { train: DataPart; validation: DataPart; test: DataPart | null }) => [
  source.train.indices.length,
  source.validation.indices.length,
  source.test?.indices.length ?? null,
];

describe('a folder with train.csv', () => {
  test('and test.csv: validation is drawn from train', async () => {
    const folder = await temporaryFolder({
      'train.csv': header + rows(0, 40),
      'test.csv': header + rows(40, 50),
    });
    const source = await resolveDataSource(folder);
    expect(sizes(source)).toEqual([36, 4, 10]);
    expect(source.imageRoot).toBe(folder);
    expect(source.classes).toEqual(['Mass', 'Edema']);
    expect(source.notes.join('\n')).toMatch(
      /split by patient, rare classes first \(seed 42\): train 36 images/,
    );
  });

  test('and valid.csv: nothing is drawn', async () => {
    const folder = await temporaryFolder({
      'train.csv': header + rows(0, 40),
      'valid.csv': header + rows(40, 50),
    });
    expect(sizes(await resolveDataSource(folder))).toEqual([40, 10, null]);
  });

  test('a test file with empty, other or reordered columns takes train’s classes', async () => {
    const folder = await temporaryFolder({
      'train.csv': header + rows(0, 40),
      'test.csv': 'ImageID,StudyDate_DICOM,PatientID,Edema,Other\nx.png,1,q,1,0\ny.png,1,r,,\n',
    });
    const { test: part } = await resolveDataSource(folder);
    expect(part?.table.classes).toEqual(['Mass', 'Edema']);
    expect([...(part?.table.labels ?? [])]).toEqual([Number.NaN, 1, Number.NaN, Number.NaN]);
  });

  test('patients in two files are warned about', async () => {
    const folder = await temporaryFolder({
      'train.csv': header + rows(0, 40),
      'val.csv': header + rows(40, 50),
      'test.csv': `${header}x.png,1,p7,1,0\n`,
    });
    const { notes } = await resolveDataSource(folder);
    expect(notes.join('\n')).toMatch(/WARNING: 1 patient is in train and test both/);
  });

  test('pictures in two files are warned about, where no patient is named', async () => {
    const folder = await temporaryFolder({
      'train.csv': 'image,Mass\na,1\nb,0\nc,1\n',
      'val.csv': 'image,Mass\nd,1\n',
      'test.csv': 'image,Mass\nb,0\nc,1\ne,1\n',
    });
    const { notes } = await resolveDataSource(folder);
    expect(notes.join('\n')).toMatch(/WARNING: 2 images \(b, c\) are in train and test both/);
  });
});

describe('one table', () => {
  test('by name, with images elsewhere; shares and seed as asked', async () => {
    const folder = await temporaryFolder({ 'any.csv': header + rows(0, 100) });
    const options = { images: '/elsewhere', validation: 0.2, test: 0.3, seed: 7 };
    const source = await resolveDataSource(join(folder, 'any.csv'), options);
    expect(source.imageRoot).toBe('/elsewhere');
    expect(sizes(source)).toEqual([50, 20, 30]);
    const again = await resolveDataSource(join(folder, 'any.csv'), options);
    expect(imagesOf(again.validation)).toEqual(imagesOf(source.validation));
  });

  test('alone in its folder, compressed or not', async () => {
    const folder = await temporaryFolder({ 'labels.csv': header + rows(0, 20), 'readme.txt': 'x' });
    expect(sizes(await resolveDataSource(folder))).toEqual([18, 2, null]);
  });

  test('a split column decides; what it lacks is drawn', async () => {
    const split = ['train', 'train', 'val', 'test', 'train', 'holdout'];
    const text = split.map((name, i) => `${i}.png,p${i},${name},${i % 2}\n`).join('');
    const folder = await temporaryFolder({ 't.csv': `image,patient,split,Mass\n${text}` });
    const source = await resolveDataSource(folder);
    expect(imagesOf(source.train)).toEqual(['0.png', '1.png', '4.png']);
    expect(imagesOf(source.validation)).toEqual(['2.png']);
    expect(imagesOf(source.test ?? source.train)).toEqual(['3.png']);
    expect(source.notes.join()).toMatch(/1 rows are assigned to no split/);
  });
});

describe('what is no data source', () => {
  test.each([
    ['nothing there', {}, 'nowhere', /no such file or folder/],
    ['an empty folder', {}, '.', /holds no CSV file/],
    ['two tables', { 'a.csv': 'x', 'b.csv': 'x' }, '.', /several \(a\.csv, b\.csv\)/],
  ])('%s', async (_, files, path, message) => {
    const folder = await temporaryFolder(files);
    await expect(resolveDataSource(join(folder, path))).rejects.toThrow(message);
  });
});

test('an NIH folder without its lists says that the split is its own', async () => {
  const text = Array.from({ length: 20 }, (_, i) => `${i}.png,Mass,${i}\n`).join('');
  const folder = await temporaryFolder({
    'Data_Entry_2017_v2020.csv': `Image Index,Finding Labels,Patient ID\n${text}`,
  });
  const source = await resolveDataSource(folder);
  expect(sizes(source)).toEqual([18, 2, null]);
  expect(source.notes.join()).toMatch(/not NIH’s official split/);
});

const noNih = missingSharedData('nih1000/Data_Entry_2017.csv');
test.skipIf(noNih !== null)(`1,000 real radiographs${noNih === null ? '' : `: ${noNih}`}`, async () => {
  const source = await resolveDataSource(join(sharedData, 'nih1000'), { validation: 0.1 });
  const { train, validation, test: testing } = source;
  if (testing === null) throw new Error('the official test list was not found');
  expect(train.indices.length + validation.indices.length).toBe(690);
  expect(testing.indices).toHaveLength(310);
  const { table } = train;
  expect(patientsOf(table, [...train.indices, ...validation.indices]).size).toBe(249);
  expect(patientsOf(table, testing.indices).size).toBe(15);
  expect(source.notes.join()).not.toMatch(/WARNING/);
  const preprocessing = preprocessingSchema.parse({ size: [64, 64] });
  const all = openDataset({ table, root: source.imageRoot, preprocessing });
  const { readable, quarantined } = await scanImages(all);
  expect(quarantined).toEqual([]);
  expect(readable).toHaveLength(1000);
  const picture = greyValues(await all.loadPixels(17));
  const mean = picture.reduce((sum, value) => sum + value, 0) / picture.length;
  expect(mean).toBeGreaterThan(0.2);
  expect(mean).toBeLessThan(0.8);
});
