import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatPredictions,
  type Prediction,
  readPredictions,
  requireFreeFile,
  writePredictions,
} from '../../src/predict/predictions.js';
import { temporaryFolder } from '../data/temporary-folder.js';

describe('predictions.csv', () => {
  test('has a row for every image, and no score for one that can’t be read', () => {
    const rows: Prediction[] = [
      { image: 'a.png', probabilities: [0.5, 0.1], split: 'test', note: '' },
      { image: 'b, c.png', probabilities: null, split: 'test', note: 'empty: the file has zero bytes.' },
    ];
    expect(formatPredictions({ classes: ['Mass', 'x "y"'], rows })).toBe(
      'ImageID,Mass,"x ""y""",split,note\na.png,0.5,0.1,test,\n"b, c.png",,,test,empty: the file has zero bytes.\n',
    );
  });

  test('reads back as it was, every float32 bit by bit', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'p.csv');
    const score = fc.float({ min: 0, max: 1, noNaN: true }).map((value) => value + 0);
    const text = fc
      .string({ unit: fc.constantFrom('a', 'é', ',', '"', '\n', ' ', '.') })
      .map((s) => s.trim());
    const row = fc.record({
      image: text.filter((s) => s !== ''),
      probabilities: fc.option(fc.tuple(score, score).map((pair) => Float32Array.from(pair))),
      split: fc.constantFrom('', 'test', 'validation'),
      note: text,
    });
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 6 }), async (rows) => {
        const predictions = { classes: ['Mass', 'pleural effusion'], rows };
        await writePredictions(path, predictions);
        expect(await readPredictions(path)).toEqual(predictions);
      }),
      { numRuns: 60 },
    );
  });

  test('is text to a spreadsheet, whatever classes and images are called, and reads back unchanged', async () => {
    const path = join(await temporaryFolder(), 'p.csv');
    const name = fc
      .string({ unit: fc.constantFrom('=', '+', '-', '@', "'", 'a', '1', ';', ',', '"', '\t') })
      .map((s) => s.trim())
      .filter((s) => s !== '' && !['ImageID', 'split', 'note'].includes(s));
    const score = fc.float({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
    const predictions = fc.uniqueArray(name, { minLength: 1, maxLength: 3 }).chain((classes) =>
      fc.record({
        classes: fc.constant(classes),
        rows: fc.array(
          fc.record({
            image: name,
            probabilities: fc
              .array(score, { minLength: classes.length, maxLength: classes.length })
              .map((scores) => Float32Array.from(scores)),
            split: fc.constant(''),
            note: name,
          }),
          { minLength: 1, maxLength: 4 },
        ),
      }),
    );
    await fc.assert(
      fc.asyncProperty(predictions, async (given) => {
        await writePredictions(path, given);
        const cells: string[][] = parse(await readFile(path, 'utf8'));
        for (const cell of cells.flat()) if (/^[=+\-@\t\r]/.test(cell)) expect(Number(cell)).not.toBeNaN();
        expect(await readPredictions(path)).toEqual(given);
      }),
      { numRuns: 300 },
    );
  });

  test('negative logits stay numbers, and a file of before reads as it did', async () => {
    const rows = [{ image: '-x.png', probabilities: [-1.5], split: '', note: '' }];
    expect(formatPredictions({ classes: ['=1+1'], rows })).toBe("ImageID,'=1+1,split,note\n'-x.png,-1.5,,\n");
    const old = await temporaryFolder({ 'p.csv': 'ImageID,=1+1,split,note\n-x.png,-1.5,,\n' });
    expect(await readPredictions(join(old, 'p.csv'))).toMatchObject({
      classes: ['=1+1'],
      rows: [{ image: '-x.png' }],
    });
  });

  test('another’s file needs only ImageID and one column a class', async () => {
    const folder = await temporaryFolder({ 's.csv': 'ImageID,Mass\na,0.25\nb,\n' });
    expect((await readPredictions(join(folder, 's.csv'))).rows).toEqual([
      { image: 'a', probabilities: Float32Array.of(0.25), split: '', note: '' },
      { image: 'b', probabilities: null, split: '', note: '' },
    ]);
  });

  test.each([
    ['Image,Mass\na,1\n', /no column is called ImageID/],
    ['ImageID,split\na,test\n', /no column of probabilities/],
    ['ImageID,Mass,Nodule\na,0.5,high\n', /line 2, column "Nodule": "high" is not a score/],
    ['ImageID,Mass,Nodule\na,0.5,\n', /line 2, column "Nodule": "" is not a score/],
  ])('%j is refused with its place', async (content, message) => {
    const folder = await temporaryFolder({ 'p.csv': content });
    await expect(readPredictions(join(folder, 'p.csv'))).rejects.toThrow(message);
  });

  test('a file that is there is not replaced unasked', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'p.csv');
    await requireFreeFile(path);
    await writeFile(path, '');
    await expect(requireFreeFile(path)).rejects.toThrow(/exists already: replace it with --force/);
  });
});
