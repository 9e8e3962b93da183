import { describe, expect, test } from 'vitest';
import type { Prediction } from '../../src/predict/predictions.js';
import { onlyClasses, requireSeenRows, seenScores } from '../../src/zeroshot/scoring/seen-scores.js';

const row = (image: string, probabilities: number[] | null, note = ''): Prediction => ({
  image,
  probabilities,
  split: '',
  note,
});
const seen = {
  path: 'p.csv',
  predictions: {
    classes: ['Mass', 'Normal'],
    rows: [row('b', [0.5, 0.25]), row('x', null, 'missing: no such file'), row('a', [0.125, 1])],
  },
};

describe('scores of a seen model', () => {
  test('stand in the order of the images, whatever the order of the rows', () => {
    const { classes, scores } = seenScores(seen, ['a', 'b']);
    expect([classes, [...(scores as Float32Array)]]).toEqual([
      ['Mass', 'Normal'],
      [0.125, 1, 0.5, 0.25],
    ]);
    const normal = seenScores(onlyClasses(seen, ['Normal']), ['b', 'a', 'b']);
    expect([normal.classes, [...(normal.scores as Float32Array)]]).toEqual([['Normal'], [0.25, 1, 0.25]]);
  });

  test('an image without a row is named, one without scores only where it is scored', () => {
    requireSeenRows(seen, ['a', 'x']);
    expect(() => requireSeenRows(seen, ['a', 'c', 'd'])).toThrow(
      'p.csv: has no row for 2 of 3 images (c, d): predict all.',
    );
    expect(() => seenScores(seen, ['c'])).toThrow('has no row for 1 of 1 image (c)');
    expect(() => seenScores(seen, ['a', 'x'])).toThrow(
      'p.csv: has no scores for 1 image that can be embedded (x); the note of the first is "missing: no such file"',
    );
  });

  test('a column that is not there and what is no probability are named', () => {
    expect(() => onlyClasses(seen, ['normal'])).toThrow(
      'p.csv: there is no column "normal"; did you mean "Normal"?',
    );
    const odd = { ...seen, predictions: { ...seen.predictions, rows: [row('a', [0.5, 1.5])] } };
    expect(() => seenScores(odd, ['a'])).toThrow('the score of class "Normal" for a is 1.5');
  });
});
