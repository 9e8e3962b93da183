import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openDataset } from '../../../src/data/dataset.js';
import { hasPicture, readPicture } from '../../../src/data/images/image-source.js';
import { preprocessingSchema } from '../../../src/data/images/preprocessing.js';
import { scanImages } from '../../../src/data/images/scan.js';
import { elementReader } from '../../../src/data/npz/npy-header.js';
import { NpzArchive } from '../../../src/data/npz/npz-archive.js';
import { type DataPart, resolveDataSource } from '../../../src/data/tables/data-source.js';
import { readTable } from '../../../src/data/tables/table.js';
import { inspectData } from '../../../src/inspect/inspect-data.js';
import { openPredictionSource } from '../../../src/predict/prediction-source.js';
import { parseRecipe } from '../../../src/recipe/recipe.js';
import { temporaryFolder } from '../temporary-folder.js';
import { dataSet, dataSets, numbers, refusedFiles, versions } from './npz-files.js';

const fileOf = async (file: Uint8Array) => join(await temporaryFolder({ 'chest.npz': file }), 'chest.npz');

async function arrayIn(path: string, name: string) {
  return NpzArchive.during(path, async (archive) => {
    const header = await archive.header(name);
    const read = elementReader(header, await archive.elements(name, header, 1e6));
    return { shape: header.shape, values: Array.from({ length: header.count }, (_, i) => read(i)) };
  });
}

describe('arrays, as numpy wrote them', () => {
  test.each(Object.keys(numbers.arrays))('%s', async (name) => {
    const { shape, values } = await arrayIn(await fileOf(numbers.file), name);
    const wanted = numbers.arrays[name]!;
    expect(shape).toEqual(wanted.shape);
    expect(values).toEqual(wanted.values.map(Number));
  });

  test.each(versions)('version $version of the format', async ({ file }) => {
    expect(await arrayIn(await fileOf(file), 'a')).toEqual({ shape: [5], values: [0, 1, 2, 3, 4] });
  });

  test.each(refusedFiles)('$name: refused', async ({ name, file }) => {
    const path = await fileOf(file);
    await expect(arrayIn(path, 'a')).rejects.toThrow(name.replace(/ \(.*/, ''));
  });
});

describe.each(dataSets)('MedMNIST: $name', ({ name, file, arrays }) => {
  const splits = [
    ['train', 'train'],
    ['val', 'validation'],
    ['test', 'test'],
  ] as const;
  const labelsOf = ({ table, indices }: DataPart) =>
    Array.from(indices, (i) => [
      ...table.labels.slice(i * table.classes.length, (i + 1) * table.classes.length),
    ]);

  test('splits and labels are the archive’s', async () => {
    const path = await fileOf(file);
    const source = await resolveDataSource(path);
    expect(source.imageRoot).toBe(path);
    expect(source.train.table.layout).toBe('medmnist');
    const several = name.startsWith('several');
    expect(source.classes).toEqual(Array.from({ length: several ? 3 : 4 }, (_, c) => `class ${c}`));
    for (const [theirs, ours] of splits) {
      const { shape, values } = arrays[`${theirs}_labels`]!;
      const rows = Array.from({ length: shape[0]! }, (_, row) =>
        several
          ? values.slice(3 * row, 3 * row + 3)
          : source.classes.map((_, c) => (values[row] === c ? 1 : 0)),
      );
      expect(labelsOf(source[ours]!)).toEqual(rows);
    }
    expect(source.notes.join('\n')).toMatch(/MedMNIST archive layout.*23 images/);
  });

  test('pictures are, too, colour by luma', async () => {
    const path = await fileOf(file);
    for (const [part] of splits) {
      const { shape, values } = arrays[`${part}_images`]!;
      const [count = 0, height = 0, width = 0, channels = 1] = shape;
      for (let i = 0; i < count; i++) {
        const { picture } = await readPicture(path, `${part}/${i}`);
        const own = values
          .slice(i * height * width * channels, (i + 1) * height * width * channels)
          .map(Number);
        const grey =
          channels === 1
            ? own
            : Array.from({ length: height * width }, (_, at) => {
                const [r = 0, g = 0, b = 0] = own.slice(3 * at);
                return Math.floor((19595 * r + 38470 * g + 7471 * b + 32768) / 65536);
              });
        expect([picture.height, picture.width, [...picture.pixels]]).toEqual([height, width, grey]);
      }
    }
  });

  test('they go through the scan and a data set as files do', async () => {
    const source = await resolveDataSource(await fileOf(file));
    const preprocessing = preprocessingSchema.parse({ size: [8, 8] });
    const dataset = openDataset({ ...source.train, root: source.imageRoot, preprocessing });
    const { readable, quarantined } = await scanImages(dataset, { strict: true });
    expect([readable.length, quarantined.length]).toEqual([12, 0]);
    expect(new Set(await dataset.loadPixels(3)).size).toBeGreaterThan(10);
  });
});

describe('names of classes', () => {
  const { file } = dataSet('several labels, deflated');

  test('are the recipe’s, in the archive’s order', async () => {
    const table = await readTable(await fileOf(file), { classes: ['Mass', 'Edema', 'Hernia'] });
    expect(table.classes).toEqual(['Mass', 'Edema', 'Hernia']);
    expect([...table.labels]).toEqual([...(await readTable(await fileOf(file))).labels]);
  });

  test('or a choice among its own', async () => {
    const table = await readTable(await fileOf(file), { classes: ['class 2', 'class 0'] });
    const all = await readTable(await fileOf(file));
    expect([...table.labels.slice(0, 2)]).toEqual([all.labels[2], all.labels[0]]);
  });

  test('of another number are refused, or unknown labels for predictions', async () => {
    const path = await fileOf(file);
    await expect(readTable(path, { classes: ['Mass'] })).rejects.toThrow(
      /chest\.npz, line 1: there is no class "Mass"; there are .*class 0, class 1, class 2/,
    );
    const { table, imageRoot } = await openPredictionSource(path, { classes: ['Mass'] });
    expect([imageRoot, table.rows.length]).toEqual([path, 23]);
    expect([...table.labels].every(Number.isNaN)).toBe(true);
  });
});

test('inspect looks at labels and pictures', async () => {
  const recipe = parseRecipe('', { path: 'r.yaml', overrides: ['preprocessing.size=[8, 8]'] });
  const { parts, pictures } = await inspectData(
    await fileOf(dataSet('several labels, deflated').file),
    recipe,
  );
  expect(parts.map(({ name, images }) => [name, images])).toEqual([
    ['train', 12],
    ['validation', 5],
    ['test', 6],
  ]);
  expect(pictures).toMatchObject({ readable: 23 });
});

test('identifiers that the archive does not have', async () => {
  const path = await fileOf(dataSet('several labels, deflated').file);
  for (const id of ['train/12', 'train/x', 'other/0', '../train/0', 'train/99999999999']) {
    await expect(readPicture(path, id)).rejects.toMatchObject({ name: 'ImageError', kind: 'missing' });
  }
  expect(await hasPicture(path, 'val/0')).toBe(true);
  expect(await hasPicture(path, 'valid/0')).toBe(false);
});
