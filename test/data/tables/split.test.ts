import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { patientsOf, SplitError, sharedPatients, splitByPatient } from '../../../src/data/tables/split.js';
import { countLabels, type LabelTable } from '../../../src/data/tables/table.js';

/** A table from [patient, positives…] per row. */
function tableOf(rows: readonly (readonly [string | null, ...number[]])[], classes = 3): LabelTable {
  return {
    path: 'made.csv',
    layout: 'plain',
    classes: Array.from({ length: classes }, (_, c) => `class${c}`),
    rows: rows.map(([patient], i) => ({ image: `${i}.png`, patient, line: i + 2, split: null })),
    labels: Float32Array.from(
      rows.flatMap(([, ...positives]) =>
        Array.from({ length: classes }, (_, c) => (positives.includes(c) ? 1 : 0)),
      ),
    ),
    patientIds: null,
    notes: [],
  };
}

const rowsArbitrary = fc.array(
  fc.tuple(fc.integer({ min: 0, max: 25 }).map(String), fc.integer({ min: 0, max: 4 })),
  { minLength: 30, maxLength: 120 },
);
const optionsArbitrary = fc.record({
  validation: fc.double({ min: 0, max: 0.4, noNaN: true }),
  test: fc.double({ min: 0, max: 0.4, noNaN: true }),
  seed: fc.integer(),
  stratify: fc.boolean(),
});

describe('splits by patient', () => {
  test('every row once, no patient on two sides, shares kept, the same again', () => {
    fc.assert(
      fc.property(rowsArbitrary, optionsArbitrary, (rows, options) => {
        const table = tableOf(rows);
        fc.pre(patientsOf(table, table.rows.keys()).size >= 3);
        const split = splitByPatient(table, options);
        const all = [...split.train, ...split.validation, ...split.test].sort((a, b) => a - b);
        expect(all).toEqual([...table.rows.keys()]);
        expect(split.train.length).toBeGreaterThan(0);
        const part = (indices: Int32Array) => ({ table, indices });
        expect(sharedPatients(part(split.train), part(split.validation))).toEqual([]);
        expect(sharedPatients(part(split.train), part(split.test))).toEqual([]);
        expect(sharedPatients(part(split.validation), part(split.test))).toEqual([]);
        for (const name of ['validation', 'test'] as const) {
          const wanted = Math.round(options[name] * rows.length);
          const patients = patientsOf(table, split[name]).size;
          // never more than asked for, unless the only patient of the part is larger than that
          expect(split[name].length <= wanted || patients === 1).toBe(true);
          expect(patients > 0).toBe(options[name] > 0);
        }
        expect(splitByPatient(table, options)).toEqual(split);
      }),
      { numRuns: 150 },
    );
  });

  test('the order of rows doesn’t matter', () => {
    fc.assert(
      fc.property(rowsArbitrary, fc.boolean(), (rows, stratify) => {
        const options = { validation: 0.3, stratify };
        const patientsIn = (table: LabelTable) =>
          patientsOf(table, splitByPatient(table, options).validation);
        const [there, back] = [tableOf(rows), tableOf(rows.toReversed())];
        fc.pre(patientsOf(there, there.rows.keys()).size >= 2);
        expect([...patientsIn(back)].sort()).toEqual([...patientsIn(there)].sort());
      }),
      { numRuns: 50 },
    );
  });

  test('seeds differ', () => {
    const table = tableOf(Array.from({ length: 100 }, (_, i) => [`p${i}`]));
    const of = (seed: number) => splitByPatient(table, { seed }).validation;
    expect(of(1)).not.toEqual(of(2));
    expect(of(1)).toHaveLength(10);
  });

  test('rows may be named; the others stay out', () => {
    const table = tableOf(Array.from({ length: 100 }, (_, i) => [`p${i % 50}`]));
    const indices = Array.from({ length: 40 }, (_, i) => i * 2);
    const split = splitByPatient(table, { validation: 0.25, indices });
    expect([...split.train, ...split.validation].sort((a, b) => a - b)).toEqual(indices);
  });
});

describe('rare classes first', () => {
  // class 0: 200 rows of 200 patients; class 1: 8 patients of one row; class 2: 2 patients; class 3: one patient only
  const rows: [string, ...number[]][] = [
    ...Array.from({ length: 200 }, (_, i): [string, number] => [`a${i}`, 0]),
    ...Array.from({ length: 8 }, (_, i): [string, number] => [`b${i}`, 1]),
    ['c0', 2],
    ['c1', 2],
    ['d0', 3],
    ['d0', 3],
    ...Array.from({ length: 288 }, (_, i): [string] => [`n${i}`]),
  ];
  const table = tableOf(rows, 4);

  test.each([1, 2, 3, 42, 1000])('seed %i: each class that can be is on both sides, in its share', (seed) => {
    const split = splitByPatient(table, { validation: 0.25, seed, stratify: true });
    const inside = [...countLabels(table, split.validation).positives];
    const total = [...countLabels(table).positives];
    expect(inside).toEqual([50, 2, 1, 0]);
    expect([...countLabels(table, split.train).positives]).toEqual(total.map((n, c) => n - (inside[c] ?? 0)));
    expect(split.validation).toHaveLength(125);
    expect(split.notes.join()).toMatch(/validation has no positive of class3/);
  });

  test('a patient with most of a class’s images stays out when others can stand in', () => {
    const heavy = tableOf([
      ...Array.from({ length: 9 }, (): [string, number] => ['heavy', 0]),
      ['light', 0],
      ...Array.from({ length: 90 }, (_, i): [string] => [`n${i}`]),
    ]);
    for (const seed of [1, 2, 3, 4, 5]) {
      const { validation } = splitByPatient(heavy, { seed, stratify: true });
      expect(countLabels(heavy, validation).positives[0]).toBe(1);
    }
  });
});

test('the only patient of a class stays in training when stratified', () => {
  const table = tableOf([['only', 1], ...Array.from({ length: 4 }, (_, i): [string] => [`n${i}`])]);
  for (let seed = 0; seed < 20; seed++) {
    const { validation } = splitByPatient(table, { validation: 0.4, seed, stratify: true });
    expect(validation).not.toContain(0);
    expect(validation).toHaveLength(2);
  }
});

describe('what can’t be split, or only badly, is said', () => {
  test.each([
    { validation: -0.1 },
    { validation: 1 },
    { validation: Number.NaN },
    { test: 2 },
    { validation: 0.5, test: 0.5 },
  ])('%j', (options) => {
    expect(() => splitByPatient(tableOf([['a'], ['b'], ['c']]), options)).toThrow(SplitError);
  });

  test('one patient', () => {
    expect(() => splitByPatient(tableOf([['a'], ['a']]))).toThrow(
      /2 images of 1 patients can't be split into 2/,
    );
  });

  test('no patients: by image, with a warning', () => {
    const split = splitByPatient(tableOf(Array.from({ length: 20 }, () => [null])));
    expect(split.validation).toHaveLength(2);
    expect(split.notes.join('\n')).toMatch(/split by image.*\nWARNING: the table names no patients/);
  });

  test('patients too large for the share', () => {
    const table = tableOf(Array.from({ length: 40 }, (_, i) => [`p${i % 2}`]));
    const split = splitByPatient(table);
    expect(split.validation).toHaveLength(20);
    expect(split.notes.join()).toMatch(/validation has 20 images where 4 were asked for/);
  });
});
