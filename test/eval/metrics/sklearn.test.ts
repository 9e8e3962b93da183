import { describe, expect, it } from 'vitest';
import { brierScore, expectedCalibrationError } from '../../../src/eval/metrics/calibration-error.js';
import { bestF1, f1 } from '../../../src/eval/metrics/f1.js';
import type { Interval } from '../../../src/eval/metrics/interval.js';
import { measureScores } from '../../../src/eval/metrics/measure-scores.js';
import { averagePrecision, precisionRecallCurve } from '../../../src/eval/metrics/precision-recall.js';
import { rocAuc, rocCurve, sensitivityAt } from '../../../src/eval/metrics/roc.js';
import type { Measures } from '../../../src/eval/metrics/score-sheet.js';
import { summarize } from '../../../src/eval/metrics/summarize.js';
import { readGolden, withNaN } from '../../golden/golden-files.js';

/** Every metric against scikit-learn's answer on the same numbers. */

type Numbers = (number | null)[];

interface Case {
  name: string;
  scores: number[];
  targets: Numbers;
  expected: {
    ap: number | null;
    auroc: number | null;
    f1: number[] | null;
    bestF1: number | null;
    ece: number[] | null;
    eceMass: number[] | null;
    brier: number | null;
    sensitivity: number[] | null;
    precisionRecall?: { thresholds: number[]; precision: number[]; recall: number[] };
    roc?: { thresholds: number[]; falsePositiveRate: number[]; truePositiveRate: number[] };
  };
}

interface Golden {
  thresholds: number[];
  bins: number[];
  specificities: number[];
  cases: Case[];
  matrix: {
    n: number;
    classes: number;
    scores: number[];
    targets: Numbers;
    macro: Record<'mAP' | 'auroc' | 'f1' | 'bestF1' | 'ece' | 'prevalenceGuess', number>;
  };
  averaged: {
    name: string;
    n: number;
    classes: number;
    scores: number[];
    targets: Numbers;
    thresholds: number[];
    expected: Record<string, Record<'macro' | 'micro' | 'weighted', number>>;
  }[];
}

const golden = readGolden<Golden>('metrics.json');

function expectAll(actual: ArrayLike<number>, expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  expected.forEach((value, i) => {
    expect(actual[i]).toBeCloseTo(value, 12);
  });
}

describe.each(golden.cases)('scikit-learn: $name', ({ scores, targets: written, expected }) => {
  const targets = withNaN(written);

  it('average precision', () => {
    const value = averagePrecision(scores, targets);
    if (expected.ap === null) expect(value).toBeNaN();
    else expect(value).toBeCloseTo(expected.ap, 12);
  });

  it('area under the ROC curve', () => {
    const value = rocAuc(scores, targets);
    if (expected.auroc === null) expect(value).toBeNaN();
    else expect(value).toBeCloseTo(expected.auroc, 12);
  });

  it('F1', () => {
    golden.thresholds.forEach((threshold, i) => {
      expect(f1(scores, targets, { threshold })).toBeCloseTo(expected.f1?.[i] ?? 0, 12);
    });
    const best = bestF1(scores, targets);
    if (expected.ap === null) expect(best).toEqual({ f1: Number.NaN, threshold: Number.NaN });
    else {
      if (expected.bestF1 !== null) expect(best.f1).toBeCloseTo(expected.bestF1, 12);
      expect(f1(scores, targets, { threshold: best.threshold })).toBeCloseTo(best.f1, 12);
    }
  });

  it('sensitivity at fixed specificities', () => {
    golden.specificities.forEach((specificity, i) => {
      const value = sensitivityAt(scores, targets, specificity);
      if (expected.sensitivity === null) expect(value).toBeNaN();
      else expect(value).toBeCloseTo(expected.sensitivity[i]!, 12);
    });
  });

  it('Brier score', () => {
    const measure = () => brierScore(scores, targets);
    if (expected.brier !== null) expect(measure()).toBeCloseTo(expected.brier, 12);
    else if (expected.f1 === null) expect(measure()).toBeNaN();
    else expect(measure).toThrow(/not a probability/);
  });

  it.each([
    ['width', 'ece'],
    ['mass', 'eceMass'],
  ] as const)('expected calibration error over bins of equal %s', (binning, key) => {
    golden.bins.forEach((bins, i) => {
      const measure = () => expectedCalibrationError(scores, targets, { bins, binning });
      const answer = expected[key];
      if (answer !== null) expect(measure()).toBeCloseTo(answer[i]!, 12);
      else if (expected.f1 === null) expect(measure()).toBeNaN();
      else expect(measure).toThrow(/not a probability/);
    });
  });
});

describe.each(golden.cases.filter(({ expected }) => expected.precisionRecall))(
  'scikit-learn: $name',
  (one) => {
    it('precision-recall curve', () => {
      const expected = one.expected.precisionRecall!;
      const curve = precisionRecallCurve(one.scores, withNaN(one.targets));
      expect(curve.thresholds[0]).toBe(Number.POSITIVE_INFINITY);
      expectAll(curve.thresholds.subarray(1), expected.thresholds);
      expectAll(curve.precision, expected.precision);
      expectAll(curve.recall, expected.recall);
    });
  },
);

describe.each(golden.cases.filter(({ expected }) => expected.roc))('scikit-learn: $name', (one) => {
  it('ROC curve', () => {
    const expected = one.expected.roc!;
    const curve = rocCurve(one.scores, withNaN(one.targets));
    expect(curve.thresholds[0]).toBe(Number.POSITIVE_INFINITY);
    expectAll(curve.thresholds.subarray(1), expected.thresholds);
    expectAll(curve.falsePositiveRate, expected.falsePositiveRate);
    expectAll(curve.truePositiveRate, expected.truePositiveRate);
  });
});

describe('scikit-learn: a matrix with a class of every kind', () => {
  const { n, classes, scores, targets, macro } = golden.matrix;
  const classNames = ['head', 'medium', 'medium too', 'rare', 'absent', 'everywhere'];
  const summary = summarize(scores, withNaN(targets), { n, classes, classNames });

  it.each(Object.entries(macro))('macro mean of %s', (name, value) => {
    expect(summary.macro[name as keyof typeof macro]).toBeCloseTo(value, 12);
  });

  it('leaves out, and names, the classes that have no answer', () => {
    expect(summary.leftOut).toEqual([
      { name: 'absent', metrics: ['mAP', 'auroc', 'f1', 'bestF1'], reason: 'no positive target' },
      { name: 'everywhere', metrics: ['auroc'], reason: 'no negative target' },
    ]);
    expect(summary.perClass[4]).toMatchObject({ positives: 0, ap: Number.NaN, f1: Number.NaN });
    expect(summary.perClass[4]!.ece).toBeGreaterThan(0);
  });
});

describe.each(golden.averaged)('scikit-learn’s averages: $name', (given) => {
  const { n, classes, scores, thresholds, expected } = given;
  const classNames = Array.from({ length: classes }, (_, c) => `class ${c}`);
  const measured = measureScores(scores, withNaN(given.targets), {
    n,
    classes,
    classNames,
    thresholds,
    resamples: 1,
  });
  const read = (measures: Measures<Interval>, name: string): Interval | null | undefined => {
    if (name === 'sensitivity90') return measures.sensitivity[0];
    if (name === 'sensitivity95') return measures.sensitivity[1];
    return measures[name as 'ap'];
  };

  it.each(Object.keys(expected))('%s', (name) => {
    for (const average of ['macro', 'micro', 'weighted'] as const) {
      expect(read(measured[average], name)?.estimate, average).toBeCloseTo(expected[name]![average], 12);
    }
  });
});
