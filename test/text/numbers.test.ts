import { describe, expect, test } from 'vitest';
import { formatByteSize } from '../../src/text/byte-size.js';
import { formatMicroseconds, formatRoughly, formatSeconds } from '../../src/text/duration.js';
import * as numbers from '../../src/text/numbers.js';
import { columnWidths, paddedTable } from '../../src/text/padded-table.js';
import { shorten, shortenInMiddle } from '../../src/text/shorten.js';

test('what is no number is a dash, never a 0', () => {
  for (const nothing of [null, undefined, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(numbers.decimals(nothing)).toBe('–');
    expect(numbers.count(nothing)).toBe('–');
    expect(numbers.percent(nothing)).toBe('–');
    expect(numbers.ratio(nothing)).toBe('–');
    expect(numbers.times(nothing, 0.1)).toBe('–');
    expect(numbers.times(0.1, nothing)).toBe('–');
    expect(numbers.signed(nothing)).toBe('–');
    expect(numbers.threeDigits(nothing)).toBe('–');
    expect(formatSeconds(nothing)).toBe('–');
  }
  expect(numbers.times(0.1, 0)).toBe('–');
  expect(formatByteSize(Number.NaN)).toBe('–');
});

test('numbers as a reader expects them', () => {
  expect(numbers.decimals(0.31449)).toBe('0.314');
  expect(numbers.count(1234567)).toBe('1,234,567');
  expect(numbers.counted(1, 'patient')).toBe('1 patient');
  expect(numbers.counted(0, 'patient')).toBe('0 patients');
  expect([0, 0.5, 0.0123, 0.00061].map((value) => numbers.percent(value))).toEqual([
    '0.0 %',
    '50.0 %',
    '1.23 %',
    '0.061 %',
  ]);
  expect(numbers.percent(0.1234, 0)).toBe('12 %');
  expect([0.0001, 0.1].map(numbers.roundPercent)).toEqual(['0.01 %', '10 %']);
  expect(numbers.times(0.3, 0.1)).toBe('3.0 ×');
  expect(numbers.times(1, 0.008)).toBe('125 ×');
  expect([0.0214, -0.004].map((value) => numbers.signed(value))).toEqual(['+0.021', '−0.004']);
  expect([0.1234, 1.234, 12.34, 123.4].map(numbers.threeDigits)).toEqual(['0.123', '1.23', '12.3', '123']);
  expect([999, 1230, 4.56e9].map(numbers.scaled)).toEqual(['999 ', '1.2 k', '4.6 G']);
});

test('sizes: whole ones without digits, from 1 GiB on with two', () => {
  const mebibyte = 2 ** 20;
  expect(
    [100, 16384, 128 * mebibyte, 12.34 * mebibyte, 4096 * mebibyte, 1260 * mebibyte].map(formatByteSize),
  ).toEqual(['100 B', '16 KiB', '128 MiB', '12.3 MiB', '4 GiB', '1.23 GiB']);
});

test('durations', () => {
  expect([0.0084, 4.25, 47, 65, 2520, 12_600, 169_200].map(formatRoughly)).toEqual([
    '8 ms',
    '4.3 s',
    '47 s',
    '65 s',
    '42 min',
    '3.5 h',
    '47 h',
  ]);
  expect([4.25, 47, 65, 7500].map(formatSeconds)).toEqual(['4.3 s', '47 s', '1 min 5 s', '2 h 05 min']);
  expect(formatMicroseconds(0.0123)).toBe('12 µs');
});

test('shortened texts have the length that is allowed', () => {
  expect(shorten('abcdef', 6)).toBe('abcdef');
  expect(shorten('abcdefg', 6)).toBe('abcde…');
  expect(shortenInMiddle('abcdefgh', 7)).toBe('abc…fgh');
});

describe('a padded table', () => {
  const rows = [
    ['name', 'n'],
    ['a', '12'],
    ['longest', ''],
  ];

  test('stands numbers on the right and leaves no space at the end', () => {
    expect(paddedTable(rows, { right: (column) => column === 1 })).toEqual([
      'name      n',
      'a        12',
      'longest',
    ]);
    expect(paddedTable(rows, { gap: '|', widths: [9] })).toEqual([
      'name     |n',
      'a        |12',
      'longest  |',
    ]);
  });

  test('is as wide as its widest cells', () => {
    expect(columnWidths(rows)).toEqual([7, 2]);
    expect(columnWidths(rows, [3, 3])).toEqual([7, 3]);
  });
});
