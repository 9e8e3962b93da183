import { describe, expect, test } from 'vitest';
import { formatCompared } from '../../src/cli/text/compared-table.js';
import type { DataPart } from '../../src/data/tables/data-source.js';
import { averagePrecision } from '../../src/eval/metrics/precision-recall.js';
import { compareEvaluations } from '../../src/predict/compare-evaluations.js';
import { EvaluationError } from '../../src/predict/labelled-scores.js';

const label = (i: number, c: number) => Number((i * 7 + c * 3) % 5 < 2);
const score = (i: number, c: number) => ((i * 37 + c * 11) % 101) / 101;

function labelled(images: readonly number[], classes: readonly string[], flip?: number): DataPart {
  const rows = images.map((i) => ({ image: `i${i}`, patient: `p${i >> 1}`, line: i + 2, split: null }));
  const labels = images.flatMap((i) =>
    classes.map((name) => (i === flip ? Number.NaN : label(i, name.length))),
  );
  const table = {
    path: 'labels.csv',
    layout: 'plain' as const,
    classes: [...classes],
    rows,
    patientIds: null,
    notes: [],
  };
  return { table: { ...table, labels: Float32Array.from(labels) }, indices: Int32Array.from(rows.keys()) };
}

function subject(images: readonly number[], classes: readonly string[], shift: number, flip?: number) {
  const rows = images.map((i) => ({
    image: `i${i}`,
    probabilities:
      i === 3 + shift ? null : Float32Array.from(classes, (name) => score(i + shift, name.length)),
    split: '',
    note: '',
  }));
  return { predictions: { classes, rows }, parts: [labelled(images, classes, flip)] };
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe('two subjects', () => {
  // i3 and i4 can't be read by one of them
  const first = subject(numbers(0, 40), ['a', 'bb', 'ccc'], 0);
  const second = subject(numbers(2, 44).toReversed(), ['ccc', 'dddd', 'a'], 1, 7);
  const compared = compareEvaluations(first, second, { resamples: 50 });

  test('are matched by image and by class name, and what does not match is told', () => {
    expect(compared.images).toBe(36);
    expect(compared.perClass.map(({ name }) => name)).toEqual(['a', 'ccc']);
    expect(compared.unmatched).toEqual({
      images: { first: ['i0', 'i1'], second: ['i43', 'i42', 'i41', 'i40'] },
      classes: { first: ['bb'], second: ['dddd'] },
    });
    expect(compared.unreadable).toEqual(['i3', 'i4']);
    expect(compared.differentLabels).toBe(2);
    const shared = numbers(2, 40).filter((i) => i !== 3 && i !== 4);
    const truth = shared.map((i) => label(i, 3));
    for (const [value, shift] of [
      [compared.perClass[1]!.ap.first, 0],
      [compared.perClass[1]!.ap.second, 1],
    ] as const) {
      const scores = shared.map((i) => Math.fround(score(i + shift, 3)));
      expect(value).toBeCloseTo(averagePrecision(scores, truth), 12);
    }
  });

  test('stand side by side in the text', () => {
    const text = formatCompared(compared, 'a.csv', 'b.csv');
    expect(text).toMatch(/^class +group +positives +AP 1st +2nd +difference +p +AUROC 1st/m);
    expect(text).toMatch(/^images in the second alone, left out \(4\): i43, i42, i41, i40$/m);
    expect(text).toMatch(/^unreadable in one of the two, in no metric: i3, i4$/m);
    expect(text).toMatch(/WARNING: 2 labels differ/);
  });

  test('with nothing in common are an error', () => {
    const other = (images: readonly number[], classes: readonly string[]) => () =>
      compareEvaluations(first, subject(images, classes, 1));
    expect(other(numbers(0, 9), ['x'])).toThrow(EvaluationError);
    expect(other(numbers(0, 9), ['x'])).toThrow(/no class is in both/);
    expect(other(numbers(50, 60), ['a'])).toThrow(/no image has labels and scores in both \(39 and 10/);
  });
});
