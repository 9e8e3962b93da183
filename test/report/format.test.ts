import { expect, test } from 'vitest';
import * as format from '../../src/report/format.js';

test('what is no number is a dash, never a 0', () => {
  for (const nothing of [null, undefined, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(format.decimals(nothing)).toBe('–');
    expect(format.count(nothing)).toBe('–');
    expect(format.percent(nothing)).toBe('–');
    expect(format.times(nothing, 0.1)).toBe('–');
    expect(format.times(0.1, nothing)).toBe('–');
    expect(format.signed(nothing)).toBe('–');
    expect(format.duration(nothing)).toBe('–');
    expect(format.mebibytes(nothing)).toBe('–');
  }
  expect(format.times(0.1, 0)).toBe('–');
});

test('numbers as a reader expects them', () => {
  expect(format.decimals(0.31449)).toBe('0.314');
  expect(format.count(1234567)).toBe('1,234,567');
  expect(format.counted(1, 'patient')).toBe('1 patient');
  expect(format.counted(0, 'patient')).toBe('0 patients');
  expect([0, 0.5, 0.0123, 0.00061].map(format.percent)).toEqual(['0.0 %', '50.0 %', '1.23 %', '0.061 %']);
  expect(format.times(0.3, 0.1)).toBe('3.0 ×');
  expect(format.times(1, 0.008)).toBe('125 ×');
  expect([0.0214, -0.004].map(format.signed)).toEqual(['+0.021', '−0.004']);
  expect([4.25, 65, 7500].map(format.duration)).toEqual(['4.3 s', '1 min 5 s', '2 h 05 min']);
  expect(format.mebibytes(2 ** 20 + 1)).toBe('2 MiB');
});

test('a path with a space or a quote is quoted for the shell', () => {
  expect(format.shellWord('runs/a-1.yaml')).toBe('runs/a-1.yaml');
  expect(format.shellWord("runs/it's mine")).toBe(`'runs/it'\\''s mine'`);
});
