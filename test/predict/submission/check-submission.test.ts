import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { IN_DISTRIBUTION, OUT_OF_DISTRIBUTION } from '../../../src/data/tables/findings.js';
import {
  checkSubmission,
  describeSubmission,
  type SubmissionReport,
} from '../../../src/predict/submission/check-submission.js';
import { writeSubmission } from '../../../src/predict/submission/submission.js';
import { temporaryFolder } from '../../data/temporary-folder.js';

const IMAGES = ['100_a.png', '100_b.png', '7.png', '0042.png'];
/** As the challenge's evaluation file: three columns of identifiers, empty columns of labels. */
const TABLE = `ImageID,StudyDate_DICOM,PatientID,${IN_DISTRIBUTION.join()}\n${IMAGES.map(
  (image) => `${image},20100101,1.90E+38${','.repeat(IN_DISTRIBUTION.length)}\n`,
).join('')}`;

/** @param change of the lines of a Task 2 submission that is fine, each as its cells */
async function check(
  change: (lines: string[][]) => readonly (readonly string[])[],
  task?: 1 | 2,
): Promise<SubmissionReport> {
  const lines = [
    ['ImageID', ...OUT_OF_DISTRIBUTION],
    ...IMAGES.map((image, i) => [image, ...OUT_OF_DISTRIBUTION.map((_, c) => String((i + c + 1) / 20))]),
  ];
  const text = change(lines)
    .map((cells) => `${cells.join()}\n`)
    .join('');
  const folder = await temporaryFolder({ 'eval.csv': TABLE, 's.csv': text });
  return checkSubmission(join(folder, 's.csv'), { table: join(folder, 'eval.csv'), task });
}

/** A cell replaced. */
const cell = (line: number, column: number, text: string) => (lines: string[][]) =>
  lines.map((cells, i) => (i === line - 1 ? cells.with(column, text) : cells));

describe('a submission that is fine', () => {
  test('of Task 2', async () => {
    const report = await check((lines) => lines);
    expect(report).toEqual({
      images: 4,
      classes: OUT_OF_DISTRIBUTION,
      expected: 'Task 2',
      problems: [],
      range: [0.05, 0.45],
      constant: [],
    });
    expect(describeSubmission('s.csv', report)).toBe(
      "s.csv is fine: 4 images in the table's order, the 6 columns of Task 2, probabilities from 0.05 to 0.45.",
    );
  });

  test('of Task 1 is what predictions of its classes are written as, unreadable images included', async () => {
    const folder = await temporaryFolder({ 'eval.csv': TABLE });
    const path = join(folder, 's.csv');
    const classes = [...IN_DISTRIBUTION, 'goiter'].reverse();
    const rows = IMAGES.map((image, i) => ({
      image,
      probabilities: i === 2 ? null : Float32Array.from(classes, (_, c) => (i * c) / 100),
      split: '',
      note: i === 2 ? 'missing' : '',
    }));
    expect(await writeSubmission(path, { classes, rows })).toBe(
      `30 columns of Task 1 in ${path}; 1 unreadable have each class's mean over the others: 7.png`,
    );
    const report = await checkSubmission(path, { table: join(folder, 'eval.csv') });
    expect(report).toMatchObject({
      expected: 'Task 1',
      problems: [],
      constant: [],
      range: [1e-6, expect.closeTo(0.9, 6)],
    });
  });

  test('of classes that the table has', async () => {
    const folder = await temporaryFolder({
      'eval.csv': 'ImageID,bright,striped\na.png,1,0\nb.png,0,1\n',
      's.csv': 'ImageID,bright,striped\na.png,0.1,0.5\nb.png,1e-6,0.5\n',
    });
    const report = await checkSubmission(join(folder, 's.csv'), { table: join(folder, 'eval.csv') });
    expect(report).toMatchObject({ expected: 'the table', problems: [], constant: ['striped'] });
  });
});

test.each<[string, (lines: string[][]) => string[][], number | null, RegExp]>([
  [
    'a missing row',
    (lines) => lines.toSpliced(2, 1),
    null,
    /^image "100_b\.png" has no row \(the table's row 2\)/,
  ],
  ['a repeated row', (lines) => [...lines, lines[1]!], 6, /^image "100_a\.png" stands on line 2 already/],
  ['a row that nobody asked for', cell(5, 0, '9.png'), 5, /^image "9\.png" is not asked for\.$/],
  ['a lost extension', cell(4, 0, '7'), 4, /not asked for; the table has "7\.png"/],
  ['a mangled identifier', cell(4, 0, '2.16E+45'), 4, /number with an exponent: a spreadsheet/],
  ['an image without a name', cell(4, 0, ''), 4, /^the image is not named/],
  [
    'rows in another order',
    ([head, a, b, ...rest]) => [head!, b!, a!, ...rest],
    3,
    /"100_a\.png" stands before/,
  ],
  ['an empty cell', cell(3, 2, ''), 3, /^column "Osteopenia": the cell is empty/],
  ['NaN', cell(3, 6, 'nan'), 3, /^column "goiter": NaN/],
  ['infinity', cell(3, 1, 'inf'), 3, /"inf" is no number/],
  ['a hexadecimal', cell(3, 1, '0x0'), 3, /"0x0" is no number/],
  ['above one', cell(2, 1, '1.0000001'), 2, /1\.0000001 is not between 0 and 1/],
  ['below zero', cell(2, 1, '-1e-9'), 2, /-1e-9 is not between 0 and 1/],
  [
    'a column spelt otherwise',
    cell(1, 6, 'Goiter'),
    1,
    /column "goiter" of Task 2 is missing; "Goiter" is spelt/,
  ],
  [
    'a column too many',
    (lines) => lines.map((cells, i) => [...cells, i === 0 ? 'note' : '']),
    1,
    /"note" is not one/,
  ],
  ['no ImageID', cell(1, 0, 'image'), 1, /column "ImageID" of Task 2 is missing/],
  [
    'columns in another order',
    (lines) => lines.map(([image, a, b, ...rest]) => [image!, b!, a!, ...rest]),
    1,
    /column 2 is "Osteopenia" where "Scoliosis" is expected/,
  ],
])('%s is found, with its line', async (_, change, line, text) => {
  const { problems } = await check(change);
  expect(problems.find((problem) => text.test(problem.text))).toMatchObject({ line });
});

test('one fault is one problem, and Task 1 can be asked for', async () => {
  expect((await check(cell(3, 2, 'x'))).problems).toHaveLength(1);
  const { problems, expected } = await check((lines) => lines, 1);
  expect(expected).toBe('Task 1');
  expect(problems).toHaveLength(36);
});

test('semicolons are named, and twenty problems are told at most', async () => {
  const folder = await temporaryFolder({
    'eval.csv': `ImageID,a\n${Array.from({ length: 30 }, (_, i) => `${i}.png,${i % 2}\n`).join('')}`,
    's.csv': `ImageID;a\n0.png;0,5\n`,
  });
  const report = await checkSubmission(join(folder, 's.csv'), { table: join(folder, 'eval.csv') });
  expect(report.problems).toHaveLength(31);
  const lines = describeSubmission('s.csv', report).split('\n');
  expect(lines).toHaveLength(22);
  expect(lines.slice(0, 3)).toEqual([
    's.csv: 31 problems, held against 30 images and the 1 column of the table.',
    'line 1: semicolons between the columns: commas are expected.',
    'line 2: column "a": "0,5" is no number.',
  ]);
  expect(lines.at(-1)).toBe('and 11 more.');
});
