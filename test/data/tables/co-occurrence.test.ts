import { expect, test } from 'vitest';
import { conditionalShare, coOccurrence } from '../../../src/data/tables/co-occurrence.js';

const rows = [
  [1, 1, 0],
  [1, 0, Number.NaN],
  [1, 1, 0],
  [0, 0, 0],
];
const samples = { length: 4, classes: ['a', 'b', 'c'], labels: (i: number) => rows[i]! };

test('pairs of positive labels, unknown ones not among them', () => {
  const counted = coOccurrence(samples);
  expect([...counted.pairs]).toEqual([3, 2, 0, 2, 2, 0, 0, 0, 0]);
  expect(conditionalShare(counted, 0, 1)).toBeCloseTo(2 / 3);
  expect(conditionalShare(counted, 1, 0)).toBe(1);
  expect(conditionalShare(counted, 2, 0)).toBeNaN();
});

test('as a sampler visits them', () => {
  expect([...coOccurrence(samples, Float64Array.of(2, 1, 0.5, 9)).pairs]).toEqual([
    3.5, 2.5, 0, 2.5, 2.5, 0, 0, 0, 0,
  ]);
});
