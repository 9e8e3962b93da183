import { join } from 'node:path';
import { expect, test } from 'vitest';
import { resolveDataSource } from '../../../src/data/tables/data-source.js';
import { readTable } from '../../../src/data/tables/table.js';
import { inspectData } from '../../../src/inspect/inspect-data.js';
import { formatInspection } from '../../../src/inspect/inspection-text.js';
import { joinLabels } from '../../../src/predict/labelled-scores.js';
import { readPredictions } from '../../../src/predict/predictions.js';
import { parseRecipe } from '../../../src/recipe/recipe.js';
import { temporaryFolder } from '../temporary-folder.js';

/** A header of 100,000 columns took minutes; time must grow with the number of cells, not with its square. */
const ROWS = 6;

async function wideTables(classes: number) {
  const names = Array.from({ length: classes }, (_, c) => `class ${c}`);
  const csv = (first: string, cells: (row: number) => string) =>
    [
      `${first},${names.join(',')}`,
      ...Array.from({ length: ROWS }, (_, row) =>
        [cells(row), ...names.map((_, c) => ((7 * c + row) % 3 === 0 ? 1 : 0))].join(','),
      ),
    ].join('\n');
  const folder = await temporaryFolder({
    'plain.csv': csv('image,patient', (row) => `${row}.png,p${row}`),
    'cxrlt.csv': csv('ImageID,StudyDate_DICOM,PatientID', (row) => `${row}.png,1,p${row}`),
    'predictions.csv': csv('ImageID', (row) => `${row}.png`),
  });
  return { names, path: (name: string) => join(folder, `${name}.csv`) };
}

/** toEqual takes half a minute for so many. */
const same = (a: Float32Array, b: Float32Array) =>
  a.length === b.length && a.every((value, i) => value === b[i]);

test('100,000 label columns are read, split and joined in seconds', { timeout: 120_000 }, async () => {
  const { names, path } = await wideTables(100_000);
  const table = await readTable(path('plain'), { classes: names });
  expect(table.classes).toHaveLength(100_000);
  expect(same((await readTable(path('cxrlt'))).labels, table.labels)).toBe(true);
  const source = await resolveDataSource(path('plain'), { validation: 0.34 });
  expect([source.train.indices.length, source.validation.indices.length]).toEqual([4, 2]);
  const part = { table, indices: Int32Array.from({ length: ROWS }, (_, i) => i) };
  const joined = joinLabels(await readPredictions(path('predictions')), [part]);
  expect(same(joined.targets, joined.scores)).toBe(true);
  await expect(readTable(path('plain'), { classes: [...names, 'class 7'] })).rejects.toThrow(
    /asked for twice/,
  );
});

test('inspect looks at 50,000 classes, and says that it counts no pairs of them', {
  timeout: 60_000,
}, async () => {
  const { path } = await wideTables(50_000);
  const inspection = await inspectData(path('plain'), parseRecipe('', { path: 'none' }));
  expect(inspection.together).toBeNull();
  expect(inspection.notes.at(-1)).toMatch(/there are 50000, and pairs are counted of up to 4000\./);
  expect(formatInspection(inspection).split('\n').length).toBeGreaterThan(50_000);
});
