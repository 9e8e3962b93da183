import { expect, test } from 'vitest';
import { isFloatMangled, patientKey, patientNotes } from '../../src/data/patient-ids.js';

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
  expect(patientNotes('PatientID', ['1', '2', '2', 'x'])).toEqual([]);
});
