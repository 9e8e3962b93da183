import { describe, expect, test } from 'vitest';
import { ensemblePredictions } from '../../src/predict/ensemble.js';
import { gatePredictions } from '../../src/predict/gate-predictions.js';
import type { Predictions } from '../../src/predict/predictions.js';

function predictions(classes: string[], scores: Record<string, number[] | null>): Predictions {
  return {
    classes,
    rows: Object.entries(scores).map(([image, probabilities]) => ({
      image,
      probabilities,
      split: '',
      note: probabilities === null ? 'missing: no such image' : '',
    })),
  };
}

const first = predictions(['Normal', 'mass'], { a: [0.8, 0.1], b: [0.2, 0.6], c: [0.5, 0.5] });
const second = predictions(['mass', 'Normal'], { b: [0.3, 0.4], a: [0.2, 1], c: null });

describe('an ensemble', () => {
  test('is the weighted mean, classes by name and images by identifier; one unread image stays so', () => {
    const { classes, rows } = ensemblePredictions([
      { predictions: first, weight: 3, name: 'one' },
      { predictions: second, weight: 1, name: 'two' },
    ]);
    expect(classes).toEqual(['Normal', 'mass']);
    expect(rows.map(({ image, note }) => [image, note])).toEqual([
      ['a', ''],
      ['b', ''],
      ['c', 'missing: no such image'],
    ]);
    const expected = [
      [0.75 * 0.8 + 0.25, 0.75 * 0.1 + 0.25 * 0.2],
      [0.75 * 0.2 + 0.25 * 0.4, 0.75 * 0.6 + 0.25 * 0.3],
    ];
    for (const [i, row] of expected.entries()) {
      for (const [c, score] of row.entries()) expect(rows[i]!.probabilities![c]).toBeCloseTo(score, 6);
    }
    expect(rows[2]!.probabilities).toBeNull();
  });

  test('of one model is that model', () => {
    const [only] = ensemblePredictions([{ predictions: first, weight: 0.2, name: 'one' }]).rows;
    expect(only).toEqual({ ...first.rows[0], probabilities: Float32Array.of(0.8, 0.1) });
  });

  test.each<[Predictions, [number, number], RegExp]>([
    [
      predictions(['Normal', 'cyst'], { a: [0, 0] }),
      [1, 1],
      /^two: lacks mass and has cyst besides, compared with one\./,
    ],
    [predictions(['Normal'], { a: [0] }), [1, 1], /^two: lacks mass, compared/],
    [predictions(['Normal', 'mass'], { a: [0, 0] }), [1, 1], /^two: has no row for image b/],
    [first, [0, 0], /weights 0, 0: each must be 0 or larger, and one larger/],
    [first, [2, -1], /weights 2, -1/],
  ])('that cannot be is refused (%#)', (other, [a, b], message) => {
    const members = [
      { predictions: first, weight: a, name: 'one' },
      { predictions: other, weight: b, name: 'two' },
    ];
    expect(() => ensemblePredictions(members)).toThrow(message);
  });
});

describe('normal gating', () => {
  test('lowers the other columns by (1 − p)^α, and keeps rows without scores', () => {
    const gated = gatePredictions(second, { alpha: 0.5, normal: 'Normal' });
    expect(gated.classes).toEqual(second.classes);
    expect(gated.rows[0]!.probabilities![0]).toBeCloseTo(0.3 * Math.sqrt(0.6), 6);
    expect(gated.rows[0]!.probabilities![1]).toBeCloseTo(0.4, 6);
    expect(Array.from(gated.rows[1]!.probabilities!)).toEqual([0, 1]);
    expect(gated.rows[2]).toEqual(second.rows[2]);
    expect(second.rows[0]!.probabilities).toEqual([0.3, 0.4]);
  });

  test('needs the class', () => {
    expect(() => gatePredictions(first, { alpha: 1, normal: 'normal' })).toThrow(/did you mean "Normal"/);
  });
});
