import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TableError } from '../../../src/data/tables/csv-sheet.js';
import { countLabels, readTable, type TableOptions } from '../../../src/data/tables/table.js';
import { nihFindings } from '../../../src/data/tables/table-layouts.js';
import { missingSharedData, sharedData } from '../shared-data.js';
import { temporaryFolder } from '../temporary-folder.js';

async function tableOf(text: string, options?: TableOptions) {
  return readTable(join(await temporaryFolder({ 't.csv': text }), 't.csv'), options);
}

async function refusal(text: string, options?: TableOptions): Promise<TableError> {
  const error = await tableOf(text, options).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(TableError);
  return error as TableError;
}

const unknown = Number.NaN;

describe('CXR-LT challenge', () => {
  const header = 'ImageID,StudyDate_DICOM,PatientID,Normal,cardiomegaly,Support Devices\n';

  test('ids, classes in file order, labels', async () => {
    const table = await tableOf(`${header}a.png,20150101,p1,1,0,0\nb.png,20150102,p2,0,1,1\n`);
    expect(table.layout).toBe('cxrlt');
    expect(table.classes).toEqual(['Normal', 'cardiomegaly', 'Support Devices']);
    expect(table.rows).toEqual([
      { image: 'a.png', patient: 'p1', line: 2, split: null },
      { image: 'b.png', patient: 'p2', line: 3, split: null },
    ]);
    expect([...table.labels]).toEqual([1, 0, 0, 0, 1, 1]);
    expect(table.notes[0]).toMatch(
      /CXR-LT challenge layout \(recognised by its header\), 2 images, 3 classes/,
    );
  });

  test('an evaluation file has unknown labels only, and says so', async () => {
    const table = await tableOf(`${header}a.png,20150101,p1,,,\nb.png,20150102,p2,,,\n`);
    expect([...table.labels].every(Number.isNaN)).toBe(true);
    expect(table.notes.join()).toMatch(/no label is filled in/);
  });

  test('an evaluation file without label columns takes the classes it is given', async () => {
    const text = 'ImageID,StudyDate_DICOM,PatientID\na.png,1,p\n';
    const table = await tableOf(text, { classes: ['Mass', 'Nodule'], unlabelled: true });
    expect(table.classes).toEqual(['Mass', 'Nodule']);
    expect([...table.labels]).toEqual([unknown, unknown]);
    expect((await refusal(text, { classes: ['Mass'] })).message).toMatch(/no class "Mass"/);
  });

  test('mangled patient identifiers are grouped by value and reported', async () => {
    const table = await tableOf(
      `${header}a.png,1,1.90E+38,1,0,1\nb.png,1,1.9e+38,0,1,0\nc.png,1,2.1E+38,0,1,0\nd.png,1,77,0,1,0\n`,
    );
    expect(table.rows.map((row) => row.patient)).toEqual(['1.9e+38', '1.9e+38', '2.1e+38', '77']);
    expect(table.notes.join('\n')).toMatch(
      /3 of 4 rows have a float-mangled "PatientID" \(a number with an exponent\).*2 distinct values, the largest with 2 rows/,
    );
  });
});

describe('NIH ChestX-ray14', () => {
  const header = 'Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age\n';

  test('findings are split at the bar; a blank one is unknown', async () => {
    const table = await tableOf(
      `${header}a.png,No Finding,0,1,50\nb.png,Hernia|Mass,0,1,50\nc.png,,0,2,60\n`,
    );
    expect(table.layout).toBe('nih');
    expect(table.classes).toEqual([...nihFindings]);
    const positive = (row: number) => table.classes.filter((_, c) => table.labels[row * 14 + c] === 1);
    expect(positive(0)).toEqual([]);
    expect(positive(1)).toEqual(['Mass', 'Hernia']);
    expect([...table.labels.subarray(28)].every(Number.isNaN)).toBe(true);
    expect(table.rows[2]?.patient).toBe('2');
  });

  test('the original file’s trailing comma', async () => {
    const table = await tableOf('Image Index,Finding Labels,Patient ID,\na.png,Mass,1,\n');
    expect(table.rows).toHaveLength(1);
  });

  test('a selection in its own order', async () => {
    const table = await tableOf(`${header}a.png,Mass|Edema,0,1,50\n`, {
      classes: ['Mass', 'Hernia', 'Edema'],
    });
    expect([...table.labels]).toEqual([1, 0, 1]);
    expect((await refusal(`${header}a.png,Mass,0,1,5\n`, { classes: ['Scoliosis'] })).message).toMatch(
      /no class "Scoliosis"; there are Atelectasis/,
    );
  });

  test('unknown and contradictory findings', async () => {
    const error = await refusal(`${header}a.png,Mass,0,1,50\nb.png,Mass|Massive,0,1,50\n`);
    expect(error).toMatchObject({ line: 3, column: 'Finding Labels', value: 'Mass|Massive' });
    expect(error.message).toMatch(/line 3, column "Finding Labels": unknown finding "Massive"/);
    expect((await refusal(`${header}a.png,No Finding|Mass,0,1,50\n`)).message).toMatch(/at once/);
  });
});

describe('CheXpert', () => {
  const header = 'Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Edema,Support Devices\n';
  const text =
    `${header}CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg,Female,68,Frontal,AP,1.0,,-1.0\n` +
    'CheXpert-v1.0-small/train/patient00002/study2/view1_frontal.jpg,Male,87,Frontal,AP,,0.0,1.0\n';

  test('blank and uncertain are unknown; the patient is read from the path', async () => {
    const table = await tableOf(text);
    expect(table.layout).toBe('chexpert');
    expect(table.classes).toEqual(['No Finding', 'Edema', 'Support Devices']);
    expect([...table.labels]).toEqual([1, unknown, unknown, unknown, 0, 1]);
    expect(table.rows.map((row) => row.patient)).toEqual(['patient00001', 'patient00002']);
    expect(table.notes.join()).toMatch(/3 of 6 labels \(50\.0 %\) are unknown/);
  });

  test.each([
    [{ uncertain: 'ones' }, [1, unknown, 1, unknown, 0, 1]],
    [{ uncertain: 'zeros' }, [1, unknown, 0, unknown, 0, 1]],
    [{ blank: 'zeros' }, [1, 0, unknown, 0, 0, 1]],
    [{ blank: 'zeros', uncertain: 'ones' }, [1, 0, 1, 0, 0, 1]],
  ] as const)('policy %j', async (policy, labels) => {
    expect([...(await tableOf(text, policy)).labels]).toEqual(labels);
  });
});

describe('plain CSV', () => {
  test('columns are inferred from names and values, and the notes say which', async () => {
    const table = await tableOf(
      'n,filename,subject_id,Sex,Age,site,Mass,Nodule,split\n' +
        '7,a.png,s1,1,60,north,1,,train\n8,b.png,s2,0,61,south,0,NaN,val\n9,c.png,s2,0,61,south,1.0,0,test\n',
    );
    expect(table.layout).toBe('plain');
    expect(table.classes).toEqual(['Mass', 'Nodule']);
    expect([...table.labels]).toEqual([1, unknown, 0, unknown, 1, 0]);
    expect(table.rows.map((row) => row.split)).toEqual(['train', 'validation', 'test']);
    expect(table.rows.map((row) => row.patient)).toEqual(['s1', 's2', 's2']);
    expect(table.notes.join('\n')).toMatch(/inferred from their values: Mass, Nodule\./);
    expect(table.notes.join('\n')).toMatch(/not taken as labels: n, site\./);
  });

  test('an image column without a telling name is known by its contents, or named', async () => {
    expect((await tableOf('radiograph,Mass\na.PNG,1\nb.jpg,0\n')).rows[1]?.image).toBe('b.jpg');
    const text = 'key,Mass\nx1,1\nx2,0\n';
    expect((await refusal(text)).message).toMatch(/no column names the images; the columns are key, Mass/);
    expect((await tableOf(text, { imageColumn: 'key' })).rows[0]?.image).toBe('x1');
    expect((await refusal(text, { imageColumn: 'nope' })).message).toMatch(/no column "nope"/);
  });

  test('no patient column is said aloud', async () => {
    expect((await tableOf('image,Mass\na,1\nb,0\n')).notes.join()).toMatch(/no column names the patient/);
  });

  test('missing patient identifiers are counted', async () => {
    const table = await tableOf('image,patient,Mass\na,,1\nb,p,0\n');
    expect(table.rows[0]?.patient).toBeNull();
    expect(table.notes.join()).toMatch(/1 of 2 rows have no "patient"/);
  });

  test('a table without labels is refused unless it is for prediction', async () => {
    expect((await refusal('image,site\na.png,north\n')).message).toMatch(/no column holds labels/);
    expect((await tableOf('image,site\na.png,north\n', { unlabelled: true })).classes).toEqual([]);
  });

  test('a layout can be forced', async () => {
    const text = 'ImageID,StudyDate_DICOM,PatientID,Mass\na.png,1,p,1\n';
    expect((await tableOf(text, { layout: 'plain' })).layout).toBe('plain');
    expect((await refusal(text, { layout: 'nih' })).message).toMatch(/no column "Finding Labels"/);
  });
});

describe('bad labels and rows', () => {
  const header = 'ImageID,StudyDate_DICOM,PatientID,Mass,Edema\n';

  test.each(['x', '2', '0.5', '-2', 'yes', '1e0', '--1', '١'])('label "%s"', async (label) => {
    const error = await refusal(`${header}a.png,1,p,1,0\nb.png,1,p,0,${label}\n`);
    expect(error).toMatchObject({ line: 3, column: 'Edema', value: label });
    expect(error.message).toContain(`line 3, column "Edema": "${label}" is not a label`);
  });

  test('a stray among inferred labels is an error, not a lost column', async () => {
    const error = await refusal('image,Mass\na,1\nb,0\nc,x\n');
    expect(error).toMatchObject({ line: 4, column: 'Mass', value: 'x' });
    const many = Array.from({ length: 300 }, (_, i) => `i${i},${i === 70 ? 11 : i % 2}\n`).join('');
    expect(await refusal(`image,Mass\n${many}`)).toMatchObject({ line: 72, value: '11' });
  });

  test('an unnamed image', async () => {
    const error = await refusal(`${header}a.png,1,p,1,0\n ,1,p,1,0\n`);
    expect(error.message).toMatch(/line 3, column "ImageID": the image is not named/);
  });

  test('a repeated row is dropped with a note, a contradicting one refused', async () => {
    const table = await tableOf(`${header}a.png,1,p,1,\nb.png,1,q,0,1\na.png,1,p,1,\nc.png,1,r,0,0\n`);
    expect(table.rows.map((row) => row.image)).toEqual(['a.png', 'b.png', 'c.png']);
    expect([...table.labels]).toEqual([1, unknown, 0, 1, 0, 0]);
    expect(table.notes.join()).toMatch(/what an earlier one says: 1\./);
    const labels = await refusal(`${header}a.png,1,p,1,0\na.png,1,p,1,1\n`);
    expect(labels).toMatchObject({ line: 3, column: 'Edema' });
    expect(labels.message).toMatch(/"a\.png" has another label on line 2/);
    expect((await refusal(`${header}a.png,1,p,1,0\na.png,1,q,1,0\n`)).message).toMatch(
      /another patient on line 2/,
    );
  });

  test('a class asked for twice', async () => {
    const text = `${header}a.png,1,p,1,0\n`;
    expect((await refusal(text, { classes: ['Mass', 'Mass'] })).message).toMatch(/asked for twice/);
    expect((await refusal(text, { classes: ['mass'] })).message).toMatch(
      /no class "mass"; there are Mass, Edema/,
    );
  });

  test('a class without positives is named', async () => {
    const table = await tableOf(`${header}a.png,1,p,1,0\nb.png,1,q,0,\n`);
    expect(table.notes.join()).toMatch(/no image is positive for Edema: left out of every mean/);
    const { positives, known } = countLabels(table);
    expect([[...positives], [...known]]).toEqual([
      [1, 0],
      [2, 1],
    ]);
    expect([...countLabels(table, [1]).known]).toEqual([1, 0]);
  });
});

test('any table of any layout gives labels of 0, 1 and NaN, or a TableError with its file', async () => {
  const headers = [
    ['ImageID', 'StudyDate_DICOM', 'PatientID', 'Mass', 'Edema'],
    ['Image Index', 'Finding Labels', 'Patient ID'],
    ['Path', 'Frontal/Lateral', 'Edema'],
    ['image', 'patient', 'split', 'Mass', ''],
    ['key', 'Mass', 'Sex'],
  ];
  const cell = fc.constantFrom(
    '0',
    '1',
    '',
    '-1',
    'NaN',
    '1.0',
    'a.png',
    'b.png',
    'Mass',
    'No Finding',
    'x|y',
    '1E+9',
    '2',
  );
  const sheet = fc.constantFrom(...headers).chain((header) =>
    fc.record({
      header: fc.constant(header),
      rows: fc.array(fc.array(cell, { minLength: header.length, maxLength: header.length }), {
        maxLength: 5,
      }),
    }),
  );
  const path = join(await temporaryFolder(), 'any.csv');
  let read = 0;
  await fc.assert(
    fc.asyncProperty(sheet, async ({ header, rows }) => {
      await writeFile(path, [header, ...rows].map((row) => `${row.join(',')}\n`).join(''));
      const table = await readTable(path).catch((thrown: unknown) => {
        expect(thrown).toBeInstanceOf(TableError);
        expect((thrown as TableError).message).toContain(path);
        return null;
      });
      if (table === null) return;
      read++;
      expect(table.labels).toHaveLength(table.rows.length * table.classes.length);
      expect(table.labels.every((label) => label === 0 || label === 1 || Number.isNaN(label))).toBe(true);
      for (const row of table.rows) expect(row.image).not.toBe('');
    }),
    { numRuns: 300 },
  );
  expect(read).toBeGreaterThan(5);
});

const noNih = missingSharedData('nih1000/Data_Entry_2017.csv');
describe.skipIf(noNih !== null)(`NIH's own files${noNih === null ? '' : `: ${noNih}`}`, () => {
  test('the label file of 1,000 images', async () => {
    const table = await readTable(join(sharedData, 'nih1000/Data_Entry_2017.csv'));
    expect(table.layout).toBe('nih');
    const perImage = [0, 0, 0];
    for (let i = 0; i < table.rows.length; i++) {
      const findings = table.labels.subarray(i * 14, i * 14 + 14).reduce((sum, label) => sum + label, 0);
      perImage[Math.min(2, findings)]! += 1;
    }
    expect(perImage).toEqual([499, 288, 213]);
    const { positives } = countLabels(table);
    expect(Object.fromEntries(table.classes.map((name, c) => [name, positives[c]]))).toMatchObject({
      Effusion: 170,
      Infiltration: 162,
      Atelectasis: 95,
      Pleural_Thickening: 29,
      Hernia: 9,
    });
    expect(new Set(table.rows.map((row) => row.patient)).size).toBe(264);
  });

  test('the label matrix of all 112,120 images', async () => {
    const table = await readTable(join(sharedData, 'nih112k-labels.csv.gz'));
    expect(table.rows).toHaveLength(112_120);
    expect(table.classes).toEqual([...nihFindings]);
    const { positives } = countLabels(table);
    expect(positives[nihFindings.indexOf('Infiltration')]).toBe(19_870);
    expect(positives[nihFindings.indexOf('Hernia')]).toBe(227);
    const split = { train: 0, validation: 0, test: 0 };
    for (const row of table.rows) if (row.split !== null) split[row.split]++;
    expect(split).toEqual({ train: 78_468, validation: 11_219, test: 22_433 });
  });
});
