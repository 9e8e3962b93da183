import { describe, expect, test } from 'vitest';
import type { LabelTable } from '../../src/data/tables/table.js';
import { Random } from '../../src/engine/random.js';
import { summarize } from '../../src/eval/metrics/summarize.js';
import type { Predictions } from '../../src/predict/predictions.js';
import { stackingCurve, stackScores } from '../../src/zeroshot/calibrated-stacking.js';
import { evaluateSeenAndUnseen } from '../../src/zeroshot/evaluate-predictions.js';
import { generalisedRows, stackingRows } from '../../src/zeroshot/generalised-table.js';

const N = 40;
const random = new Random(5, 'evaluate');
const classes = ['goiter', 'Mass', 'Hernia', 'Extra'];
const labelled = ['Mass', 'Hernia', 'goiter'];
const labels = Array.from({ length: N * 3 }, () => Number(random.chance(0.35)));

/** An image without scores, one without labels; columns and rows in another order than the labels'. */
const predictions: Predictions = {
  classes,
  rows: [...Array(N + 1).keys()].reverse().map((i) => ({
    image: `${i}`,
    probabilities: i === 3 ? null : Float32Array.from(classes, () => random.uniform()),
    split: '',
    note: i === 3 ? 'missing' : '',
  })),
};

function part(names: readonly string[] = labelled) {
  const table: LabelTable = {
    path: 'labels.csv',
    layout: 'plain',
    classes: [...names],
    rows: Array.from({ length: N }, (_, i) => ({
      image: `${i}`,
      patient: `p${i >> 1}`,
      line: i + 2,
      split: null,
    })),
    labels: Float32Array.from(
      Array.from({ length: N }, (_, i) =>
        names.map((name) => labels[i * 3 + labelled.indexOf(name)]!),
      ).flat(),
    ),
    patientIds: null,
    notes: [],
  };
  return { table, indices: Int32Array.from({ length: N }, (_, i) => i) };
}

/** Scores and labels of the images that have both, put together once more. */
const used = [...Array(N).keys()].filter((i) => i !== 3);
const scores = used.flatMap((i) => [...(predictions.rows[N - i]!.probabilities as Float32Array)]);
const targets = used.flatMap((i) => [labels[i * 3 + 2]!, labels[i * 3]!, labels[i * 3 + 1]!, Number.NaN]);
const shape = { n: N - 1, classes: 4, classNames: classes };
const kinds = { seen: ['Mass', 'Hernia'], unseen: ['goiter'] };

describe('predictions of seen and unseen classes', () => {
  const result = evaluateSeenAndUnseen(predictions, [part()], {
    unseen: ['goiter'],
    k: 1,
    gamma: 0.2,
    resamples: 50,
  });

  test('are joined with labels by image and class, and measured by kind', () => {
    const perClass = summarize(scores, targets, shape).perClass;
    const of = (name: string) => perClass.find((row) => row.name === name)!;
    const seen = (of('Mass').ap + of('Hernia').ap) / 2;
    const unseen = of('goiter').ap;
    const { mAP, auroc } = result.metrics;
    expect(mAP.seen.estimate).toBeCloseTo(seen, 12);
    expect(mAP.unseen.estimate).toBeCloseTo(unseen, 12);
    expect(mAP.harmonicMean.estimate).toBeCloseTo((2 * seen * unseen) / (seen + unseen), 12);
    expect(auroc.unseen.estimate).toBeCloseTo(of('goiter').auroc, 12);
    expect(result).toMatchObject({
      images: N - 1,
      unreadable: ['3'],
      leftOut: ['Extra'],
      seen: ['Mass', 'Hernia'],
    });
  });

  test('a given γ is a point of the curve', () => {
    const stacked = stackScores(scores, 0.2, { ...shape, ...kinds });
    const { seen, unseen } = stackingCurve(stacked, targets, { ...shape, ...kinds, k: 1 }).unchanged;
    expect(result.given).toMatchObject({ gamma: 0.2, seen, unseen });
    expect(unseen).toBeGreaterThanOrEqual(result.stacking.unchanged.unseen);
  });

  test('are shown with intervals, and stacking with what it changes', () => {
    const rows = generalisedRows(result.metrics, { seen: 2, unseen: 1 });
    expect(rows.map(([name, count]) => [name, count])).toEqual([
      ['', 'classes'],
      ['seen', '2'],
      ['unseen', '1'],
      ['all', '3'],
      ['harmonic mean of seen and unseen', ''],
    ]);
    expect(rows[1]![2]).toMatch(/^0\.\d{3} \[0\.\d{3}, 0\.\d{3}\]$/);
    const stacking = stackingRows(result.stacking, { k: 1, given: result.given });
    expect(stacking.map(([name]) => name)).toEqual([
      'findings first in their image',
      'as they are',
      'with the given γ',
      'with the best γ for these labels',
    ]);
    expect(stacking[2]![1]).toBe('0.2000');
  });

  test.each([
    [['goitre'], labelled, /no column of the unseen class "goitre"; did you mean "goiter"/],
    [['Extra'], labelled, /labels\.csv: has no labels of Extra/],
    [['goiter'], ['goiter'], /there is no seen class/],
    [['goiter', 'Mass', 'Hernia'], labelled, /there is no seen class/],
  ])('unseen %j with labels of %j are refused', (unseen, names, message) => {
    expect(() => evaluateSeenAndUnseen(predictions, [part(names)], { unseen })).toThrow(message);
  });
});
