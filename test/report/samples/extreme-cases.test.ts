import { expect, test } from 'vitest';
import { extremeCases } from '../../../src/report/samples/extreme-cases.js';

const UNKNOWN = Number.NaN;

/** Rows of [image, patient, scores, targets] over three classes. */
function part(rows: [string, string | null, number[], number[]][]) {
  return {
    name: 'test' as const,
    n: rows.length,
    images: rows.map(([image]) => image),
    patients: rows.map(([, patient]) => patient),
    scores: Float32Array.from(rows.flatMap(([, , scores]) => scores)),
    targets: Float32Array.from(rows.flatMap(([, , , targets]) => targets)),
  };
}

test('best are those with all present findings above all absent ones, worst those with the widest mistake', () => {
  const { best, worst } = extremeCases(
    part([
      ['sure', 'a', [0.9, 0.1, 0.2], [1, 0, 0]],
      ['unsure', 'b', [0.3, 0.5, 0.2], [0, 1, 0]],
      ['wrong', 'c', [0.8, 0.1, 0.2], [0, 0, 1]],
      ['half', 'd', [0.8, 0.1, 0.75], [1, 1, 0]],
      ['nothing present', 'e', [0.9, 0.1, 0.2], [0, 0, 0]],
    ]),
    9,
  );
  expect(best.map(({ image }) => image)).toEqual(['sure', 'unsure']);
  expect(worst.map(({ image }) => image)).toEqual(['half', 'wrong']);
  expect(best[0]?.ranked).toEqual([0, 2, 1]);
  expect(best[0]?.margin).toBeCloseTo(0.7);
});

test('a patient and a set of findings are shown once', () => {
  const { best } = extremeCases(
    part([
      ['1', 'a', [0.9, 0, 0], [1, 0, 0]],
      ['2', 'a', [0, 0.8, 0], [0, 1, 0]],
      ['3', 'b', [0.7, 0, 0], [1, 0, 0]],
      ['4', 'c', [0, 0.6, 0], [0, 1, 0]],
      ['5', null, [0, 0, 0.5], [0, 0, 1]],
      ['6', null, [0.4, 0.4, 0], [1, 1, 0]],
    ]),
    3,
  );
  expect(best.map(({ image }) => image)).toEqual(['1', '4', '5']);
});

test('an unknown finding is neither present nor absent; without an absent one there is no margin', () => {
  const { best, worst } = extremeCases(
    part([
      ['counts', 'a', [0.5, 0.9, 0.1], [1, UNKNOWN, 0]],
      ['no absent one', 'b', [0.5, 0.9, 0.1], [1, UNKNOWN, UNKNOWN]],
    ]),
    9,
  );
  expect(best.map(({ image }) => image)).toEqual(['counts']);
  expect(worst).toEqual([]);
});
