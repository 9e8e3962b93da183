import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findSubgroups } from '../../../src/data/tables/subgroup-columns.js';
import { readTable } from '../../../src/data/tables/table.js';
import { temporaryFolder } from '../temporary-folder.js';

async function subgroupsOf(text: string) {
  const table = await readTable(join(await temporaryFolder({ 't.csv': text }), 't.csv'));
  const values = Object.fromEntries((table.subgroups ?? []).map((column) => [column.name, column.values]));
  return { classes: table.classes, images: table.rows.length, values };
}

test('NIH’s columns', async () => {
  const { values } = await subgroupsOf(
    'Image Index,Finding Labels,Patient ID,Patient Age,Patient Gender,View Position\n' +
      'a.png,Mass,1,058Y,M,PA\nb.png,No Finding,2,414Y,F,AP\nb.png,No Finding,2,414Y,F,AP\nc.png,Hernia,3,010M,,\n',
  );
  expect(values).toEqual({
    sex: ['male', 'female', null],
    age: ['40 to 59', null, 'under 18'],
    view: ['PA', 'AP', null],
  });
});

test('CheXpert’s columns: two of them say the view', async () => {
  const { values, classes } = await subgroupsOf(
    'Path,Sex,Age,Frontal/Lateral,AP/PA,Edema\n' +
      'patient1/a.png,Female,83,Frontal,AP,1\npatient2/b.png,Unknown,39,Lateral,,0\n',
  );
  expect(classes).toEqual(['Edema']);
  expect(values).toEqual({
    sex: ['female', null],
    age: ['80 and over', '18 to 39'],
    view: ['Frontal AP', 'Lateral'],
  });
});

test('manufacturer and model are one device; a label is none', async () => {
  const { values, classes } = await subgroupsOf(
    'image,Manufacturer,ManufacturerModelName,device\na.png,Philips,DigitalDiagnost,1\nb.png,GE,,0\n',
  );
  expect(classes).toEqual(['device']);
  expect(values).toEqual({ device: ['Philips DigitalDiagnost', 'GE'] });
  expect(findSubgroups(['image', 'sex'], ['sex'])).toEqual([]);
});

test('a table without such columns has no list', async () => {
  const table = await readTable(join(await temporaryFolder({ 't.csv': 'image,a\nx.png,1\n' }), 't.csv'));
  expect(table.subgroups).toBeUndefined();
});
