import { expect, test } from 'vitest';
import { noInterval, range, shellWord } from '../../src/report/format.js';

test('an interval is its ends; one that is missing is a dash, and the reason stands apart', () => {
  const interval = { estimate: 0.3, low: 0.288, high: 0.3371, level: 0.95, resamples: 10, whyMissing: null };
  expect(range(interval)).toBe('0.288–0.337');
  expect(noInterval(interval)).toBe(null);
  const missing = { ...interval, low: Number.NaN, high: Number.NaN, whyMissing: 'no positive target' };
  expect(range(missing)).toBe('–');
  expect(noInterval(missing)).toBe('no interval: no positive target');
});

test('a path with a space or a quote is quoted for the shell', () => {
  expect(shellWord('runs/a-1.yaml')).toBe('runs/a-1.yaml');
  expect(shellWord("runs/it's mine")).toBe(`'runs/it'\\''s mine'`);
});
