import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/engine/random.js';
import { expectedCalibrationError } from '../../../src/eval/metrics/calibration-error.js';
import { f1 } from '../../../src/eval/metrics/f1.js';
import { MetricError } from '../../../src/eval/metrics/metric-error.js';
import { averagePrecision } from '../../../src/eval/metrics/precision-recall.js';
import { rocAuc } from '../../../src/eval/metrics/roc.js';
import { groupsByPrevalence, summarize } from '../../../src/eval/metrics/summarize.js';

function randomMatrix(n: number, prevalences: readonly number[]) {
  const random = new Random(3, 'summarize test');
  const targets = Float32Array.from({ length: n * prevalences.length }, (_, i) =>
    random.chance(prevalences[i % prevalences.length]!) ? 1 : 0,
  );
  const scores = Float32Array.from(targets, (y) => random.uniform(0, 0.7) + 0.3 * y);
  return { n, classes: prevalences.length, scores, targets };
}

describe('summarize', () => {
  it('gives each class the metrics of its own column', () => {
    const { scores, targets, n, classes } = randomMatrix(200, [0.5, 0.2, 0.05]);
    const classNames = ['a', 'b', 'c'];
    const { perClass, macro, leftOut, groups } = summarize(scores, targets, {
      n,
      classes,
      classNames,
      threshold: 0.6,
    });
    perClass.forEach((row, c) => {
      const s = scores.filter((_, i) => i % classes === c);
      const y = targets.filter((_, i) => i % classes === c);
      expect(row).toMatchObject({
        name: classNames[c],
        group: null,
        known: n,
        positives: y.filter((t) => t === 1).length,
        ap: averagePrecision(s, y),
        auroc: rocAuc(s, y),
        f1: f1(s, y, { threshold: 0.6 }),
        ece: expectedCalibrationError(s, y),
      });
      expect(f1(s, y, { threshold: row.bestThreshold })).toBeCloseTo(row.bestF1, 12);
    });
    expect(macro.mAP).toBeCloseTo((perClass[0]!.ap + perClass[1]!.ap + perClass[2]!.ap) / 3, 12);
    expect(leftOut).toEqual([]);
    expect(groups).toEqual({});
  });

  it('averages within head, medium and tail', () => {
    const prevalences = [0.5, 0.1, 0.05, 0.009];
    const groups = groupsByPrevalence(prevalences);
    expect(groups).toEqual(['head', 'medium', 'medium', 'tail']);
    const classNames = ['a', 'b', 'c', 'd'];
    const { scores, targets, n, classes } = randomMatrix(2000, prevalences);
    const summary = summarize(scores, targets, { n, classes, classNames, groups });
    expect(Object.keys(summary.groups)).toEqual(['head', 'medium', 'tail']);
    expect(summary.groups.medium).toMatchObject({
      classes: ['b', 'c'],
      mAP: (summary.perClass[1]!.ap + summary.perClass[2]!.ap) / 2,
    });
    expect(summary.groups.tail!.auroc).toBe(summary.perClass[3]!.auroc);
  });

  it('still ranks scores that are no probabilities, but says that they have no calibration', () => {
    const summary = summarize([-2, 3, -1, 4], [0, 1, 0, 1], { n: 4, classes: 1, classNames: ['a'] });
    expect(summary.macro).toMatchObject({ mAP: 1, auroc: 1, ece: Number.NaN });
    expect(summary.leftOut).toEqual([{ name: 'a', metrics: ['ece'], reason: 'scores outside [0, 1]' }]);
  });

  it('names a class of which nothing is known', () => {
    const summary = summarize([0.5], [Number.NaN], { n: 1, classes: 1, classNames: ['a'] });
    expect(summary.leftOut).toEqual([
      { name: 'a', metrics: ['mAP', 'auroc', 'f1', 'bestF1', 'ece'], reason: 'no known target' },
    ]);
    expect(summary.macro.mAP).toBeNaN();
  });

  it.each([
    [
      'a NaN score, even where the target is unknown',
      [0.1, Number.NaN],
      [0, Number.NaN],
      /class "b" at row 0 is NaN/,
    ],
    ['an infinite score', [0.1, Number.POSITIVE_INFINITY], [0, 1], /class "b" at row 0 is Infinity/],
    ['a target of −1', [0.1, 0.2], [-1, 1], /target of class "a" at row 0 is -1/],
    ['missing scores', [0.1], [0, 1], /1 scores for 1 images × 2 classes: expected 2/],
    ['missing targets', [0.1, 0.2], [0], /1 targets for 1 images × 2 classes: expected 2/],
  ])('refuses %s', (_, scores, targets, message) => {
    const call = () => summarize(scores, targets, { n: 1, classes: 2, classNames: ['a', 'b'] });
    expect(call).toThrow(MetricError);
    expect(call).toThrow(message);
  });

  it('refuses names or groups that do not match the classes', () => {
    const scores = [0.5, 0.5];
    expect(() => summarize(scores, [0, 1], { n: 1, classes: 2, classNames: ['a'] })).toThrow(
      /1 class names for 2/,
    );
    const options = { n: 1, classes: 2, classNames: ['a', 'b'], groups: ['head'] };
    expect(() => summarize(scores, [0, 1], options)).toThrow(/1 groups for 2/);
  });

  it('refuses a threshold or a number of bins that means nothing', () => {
    expect(() => f1([0.5], [1], { threshold: Number.NaN })).toThrow(MetricError);
    expect(() => expectedCalibrationError([0.5], [1], { bins: 0 })).toThrow(MetricError);
    expect(() => expectedCalibrationError([0.5], [1], { bins: 1.5 })).toThrow(MetricError);
  });
});
