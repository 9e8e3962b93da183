import { expect, test } from 'vitest';
import { largestDifference } from '../../bench/agreement.js';

const tensor = (...values: number[]) => Float32Array.from(values);

test('differences are relative to the largest value of the same tensor', () => {
  expect(largestDifference([tensor(100, 0)], [tensor(100, 1)])).toBeCloseTo(0.01);
  expect(largestDifference([tensor(100), tensor(1)], [tensor(100), tensor(1.5)])).toBeCloseTo(0.5);
  expect(largestDifference([tensor(0, 0)], [tensor(0, 0)])).toBe(0);
});

test('what cannot be compared is infinitely wrong', () => {
  expect(largestDifference([tensor(1)], [])).toBe(Number.POSITIVE_INFINITY);
  expect(largestDifference([tensor(1, 2)], [tensor(1)])).toBe(Number.POSITIVE_INFINITY);
  expect(largestDifference([tensor(1, 2)], [tensor(1, Number.NaN)])).toBe(Number.POSITIVE_INFINITY);
  expect(largestDifference([tensor(0)], [tensor(1)])).toBe(Number.POSITIVE_INFINITY);
});
