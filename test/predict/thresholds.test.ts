import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { summarize } from '../../src/eval/metrics/summarize.js';
import { readThresholds, writeThresholds } from '../../src/predict/thresholds.js';
import { temporaryFolder } from '../data/temporary-folder.js';

const shape = { n: 4, classes: 3, classNames: ['mass', '=odd', 'rare'] };
const scores = Float32Array.of(0.1, 0.2, 0.3, 0.3, 0.9, 0.3, 0.2, 0.4, 0.1, 0.7, 0.8, 0.9);
const targets = Float32Array.of(0, 0, 0, 1, 1, 0, 0, 1, 0, 1, 0, Number.NaN);

test('thresholds of best F1 come back from their file, for classes in any order, and give that F1', async () => {
  const path = join(await temporaryFolder(), 't.csv');
  const { perClass } = summarize(scores, targets, shape);
  await writeThresholds(path, perClass);
  const [f32, odd] = [String(Math.fround(0.3)), String(Math.fround(0.4))];
  expect(await readFile(path, 'utf8')).toBe(
    `class,threshold,F1,positives\nmass,${f32},1,2\n'=odd,${odd},0.8,2\nrare,,,0\n`,
  );
  const { values, unfitted } = await readThresholds(path, ['rare', 'mass']);
  expect([values, unfitted]).toEqual([[0.5, Math.fround(0.3)], ['rare']]);
  const thresholds = (await readThresholds(path, shape.classNames)).values;
  const applied = summarize(scores, targets, { ...shape, thresholds });
  expect(applied.perClass.map(({ f1 }) => f1)).toEqual([1, 0.8, Number.NaN]);
  expect(applied.macro.f1).toBeCloseTo(0.9, 12);
  // at 0.5, mass has one hit of two positives, and odd one hit and one false alarm
  expect(summarize(scores, targets, shape).perClass.map(({ f1 }) => f1)).toEqual([2 / 3, 0.5, Number.NaN]);
});

test.each([
  ['class,threshold\nmass,x\n', /line 2, column "threshold": "x" is no threshold/],
  ['class,cut\nmass,0.1\n', /has no columns "class" and "threshold"/],
  ['class,threshold\nmas,0.1\n', /no row for class "mass"; did you mean "mas"/],
])('a file that does not fit is refused (%#)', async (text, message) => {
  const folder = await temporaryFolder({ 't.csv': text });
  await expect(readThresholds(join(folder, 't.csv'), ['mass'])).rejects.toThrow(message);
});

test('one threshold for each class is needed', () => {
  expect(() => summarize(scores, targets, { ...shape, thresholds: [0.5] })).toThrow(
    /1 thresholds for 3 classes/,
  );
});
