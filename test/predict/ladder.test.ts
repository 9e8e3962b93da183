import { expect, test } from 'vitest';
import { formatLadder } from '../../src/cli/text/ladder-table.js';
import type { DataPart } from '../../src/data/tables/data-source.js';
import { averagePrecision } from '../../src/eval/metrics/precision-recall.js';
import { rocAuc } from '../../src/eval/metrics/roc.js';
import { measureLadder } from '../../src/predict/ladder.js';
import type { Predictions } from '../../src/predict/predictions.js';

const COUNT = 60;
const label = (i: number, c: number) => (i * (c + 3)) % 5 < 2;

/** Two images of each patient, two classes. */
const part: DataPart = {
  table: {
    path: 'labels.csv',
    layout: 'plain',
    classes: ['a', 'b'],
    rows: Array.from({ length: COUNT }, (_, i) => ({
      image: `i${i}`,
      patient: `p${i >> 1}`,
      line: i + 2,
      split: null,
    })),
    labels: Float32Array.from({ length: 2 * COUNT }, (_, k) => (label(k >> 1, k & 1) ? 1 : 0)),
    patientIds: null,
    notes: [],
  },
  indices: Int32Array.from({ length: COUNT }, (_, i) => i),
};

const noise = (i: number, c: number) => ((i * 37 + 11 * c) % 101) / 101;

/** @param truth share of the label in a score @param gone image without scores */
function predicted(truth: number, { classes = ['a', 'b'], gone = -1 } = {}): Predictions {
  const score = (i: number, name: string) => {
    const c = name === 'a' ? 0 : 1;
    return truth * (label(i, c) ? 1 : 0) + (1 - truth) * noise(i, c);
  };
  return {
    classes,
    rows: Array.from({ length: COUNT }, (_, i) => ({
      image: `i${i}`,
      probabilities: i === gone ? null : Float32Array.from(classes, (name) => score(i, name)),
      split: '',
      note: '',
    })),
  };
}

test('each step is measured beside the one before, on the images that all could read', () => {
  const steps = [
    { name: 'single', predictions: predicted(0.1, { gone: 7 }) },
    { name: 'views', predictions: predicted(0.6, { classes: ['b', 'a'] }) },
    { name: 'nothing', predictions: predicted(0.6, { gone: 8 }) },
    { name: 'harm', predictions: predicted(0) },
  ];
  const ladder = measureLadder(steps, [part], { resamples: 100 });
  expect(ladder).toMatchObject({ images: COUNT - 2, unreadable: ['i7', 'i8'] });
  const readable = Array.from({ length: COUNT }, (_, i) => i).filter((i) => i !== 7 && i !== 8);
  const means = [0.1, 0.6, 0.6, 0].map((truth) => {
    const byClass = [0, 1].map((c) => {
      const { rows } = predicted(truth);
      const scores = readable.map((i) => rows[i]!.probabilities![c]!);
      const targets = readable.map((i) => (label(i, c) ? 1 : 0));
      return [averagePrecision(scores, targets), rocAuc(scores, targets)] as const;
    });
    return [(byClass[0]![0] + byClass[1]![0]) / 2, (byClass[0]![1] + byClass[1]![1]) / 2] as const;
  });
  for (const [s, { name, scores, gains }] of ladder.rows.entries()) {
    expect(name).toBe(steps[s]!.name);
    expect(scores.mAP).toBeCloseTo(means[s]![0], 12);
    expect(scores.auroc).toBeCloseTo(means[s]![1], 12);
    if (s === 0) expect(gains).toBeNull();
    else {
      expect(gains?.mAP.estimate).toBeCloseTo(means[s]![0] - means[s - 1]![0], 12);
      expect(gains?.auroc.estimate).toBeCloseTo(means[s]![1] - means[s - 1]![1], 12);
    }
  }
  const [, views, nothing, harm] = ladder.rows;
  expect(views?.gains?.mAP.low).toBeGreaterThan(0);
  expect(nothing?.gains?.mAP).toMatchObject({ estimate: 0, low: 0, high: 0 });
  expect(harm?.gains?.auroc.high).toBeLessThan(0);

  const lines = formatLadder(ladder).split('\n');
  expect(lines[0]).toMatch(/^58 images; each step/);
  expect(lines.find((line) => line.startsWith('views'))).toMatch(/\+0\.\d{4} +\+0\.\d{4} to \+0\.\d{4} \*/);
  expect(lines.find((line) => line.startsWith('nothing'))).not.toContain('*');
  expect(lines.find((line) => line.startsWith('harm'))).toMatch(/−0\.\d{4} to −0\.\d{4} \*$/);
  expect(lines.at(-1)).toBe('unreadable, in no step: 2 images');
});

test('without an image that all could read there is nothing to measure', () => {
  const nobody = {
    classes: ['a', 'b'],
    rows: predicted(0).rows.map((row) => ({ ...row, probabilities: null })),
  };
  expect(() => measureLadder([{ name: 'x', predictions: nobody }], [part])).toThrow(/nothing to measure/);
});
