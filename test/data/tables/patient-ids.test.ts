import { expect, test } from 'vitest';
import {
  examinePatientIds,
  isFloatMangled,
  patientKey,
  patientNotes,
} from '../../../src/data/tables/patient-ids.js';

test.each([
  ['1.90E+38', true],
  ['1.9e+38', true],
  ['2E+15', true],
  ['1.25e20', true],
  ['190123456789', false],
  ['12.0', false],
  ['e12', false],
  ['P1E5', false],
  ['1E-5', false],
  ['00000013', false],
])('%s mangled: %s', (id, mangled) => {
  expect(isFloatMangled(id)).toBe(mangled);
});

test('spellings of one number are one patient; other identifiers stay as written', () => {
  expect(patientKey('1.90E+38')).toBe(patientKey(' 1.9e+38'));
  expect(patientKey('00013')).not.toBe(patientKey('13'));
  expect(patientKey('nan')).toBeNull();
  expect(patientKey(' ')).toBeNull();
});

test('nothing to say about sound identifiers', () => {
  expect(patientNotes(examinePatientIds('PatientID', ['1', '2', '2', 'x']))).toEqual([]);
});

test('what is odd about a column', () => {
  const padChest = String(BigInt(1.9e38));
  const facts = examinePatientIds('PatientID', [
    '12',
    '012',
    '12.0',
    '7',
    'p9',
    'P9',
    ' 7 ',
    '',
    'nan',
    '1.90E+38',
    '1.9e+38',
    '2E+38',
    padChest,
    padChest,
    '190123456789012345678901234567890123457',
    '3',
  ]);
  expect(facts).toEqual({
    column: 'PatientID',
    rows: 16,
    missing: 2,
    mangled: { rows: 3, values: 2, largest: 2, example: '1.90E+38' },
    rounded: { rows: 2, values: 1, largest: 2, example: padChest },
    respelt: [
      ['12', '012', '12.0'],
      ['p9', 'P9'],
    ],
    numbers: 5,
    texts: 1,
    exampleText: 'p9',
  });
});

test('a number that is written out is rounded only if it is the very number that a double holds', () => {
  const roundedOf = (id: string) => examinePatientIds('id', [id]).rounded?.rows ?? 0;
  expect(roundedOf(String(2n ** 70n))).toBe(1);
  expect(roundedOf(String(2n ** 70n + 1n))).toBe(0);
  expect(roundedOf('190000000000000000000000000000000000000')).toBe(1);
  expect(roundedOf(String(2n ** 62n))).toBe(0);
});
