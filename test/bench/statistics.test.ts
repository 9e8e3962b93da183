import { expect, test } from 'vitest';
import { speedup, spread } from '../../bench/statistics.js';

test('the median of an even number of rounds lies between the middle two, whatever their order', () => {
  expect(spread([4, 1, 10, 2])).toEqual({ median: 3, min: 1, max: 10 });
  expect(spread([7])).toEqual({ median: 7, min: 7, max: 7 });
});

test('a speed-up is taken round by round: a machine that was slow for one round changes nothing', () => {
  const ours = [1, 10, 1];
  const theirs = [5, 50, 6];
  expect(speedup(ours, theirs)).toEqual({ median: 5, min: 5, max: 6 });
});
