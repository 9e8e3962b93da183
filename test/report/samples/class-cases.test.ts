import { expect, test } from 'vitest';
import { classCases, OUTCOMES } from '../../../src/report/samples/class-cases.js';

/** One class: [patient, score, target] an image. */
function part(rows: [string | null, number, number][]) {
  return {
    name: 'test' as const,
    n: rows.length,
    images: rows.map((_, i) => `${i}.png`),
    patients: rows.map(([patient]) => patient),
    scores: Float32Array.from(rows.map(([, score]) => score)),
    targets: Float32Array.from(rows.map(([, , target]) => target)),
  };
}

const rowsOf = (cases: ReturnType<typeof classCases>) =>
  OUTCOMES.map((outcome) => cases[outcome].map(({ row }) => row));

test('right and wrong begin with the highest score, missed with the lowest', () => {
  const rows = part([
    ['a', 0.9, 1],
    ['b', 0.7, 1],
    ['c', 0.4, 1],
    ['d', 0.1, 1],
    ['e', 0.8, 0],
    ['f', 0.5, 0],
    ['g', 0.2, 0],
    ['h', 0.95, Number.NaN],
  ]);
  expect(rowsOf(classCases(rows, 0, 0.5, 9))).toEqual([
    [0, 1],
    [4, 5],
    [3, 2],
  ]);
  expect(rowsOf(classCases(rows, 0, 0.5, 1))).toEqual([[0], [4], [3]]);
});

test('a patient comes once in a row, images without one each', () => {
  const rows = part([
    ['a', 0.9, 1],
    ['a', 0.8, 1],
    [null, 0.7, 1],
    [null, 0.6, 1],
  ]);
  expect(rowsOf(classCases(rows, 0, 0.5, 9))[0]).toEqual([0, 2, 3]);
});

test('a class without a threshold has nothing to show', () => {
  expect(rowsOf(classCases(part([['a', 0.9, 0]]), 0, Number.NaN, 9))).toEqual([[], [], []]);
});
