import { describe, expect, test } from 'vitest';
import {
  aurocComponents,
  aurocCovariance,
  delongDifference,
  delongInterval,
} from '../../../src/eval/metrics/delong.js';
import { numberPatients } from '../../../src/eval/metrics/patient-draws.js';
import { rankScores } from '../../../src/eval/metrics/tally.js';
import { readGolden, withNaN } from '../../golden/golden-files.js';

interface Golden {
  readonly cases: readonly {
    readonly name: string;
    readonly patients: number[];
    readonly first: number[];
    readonly second: number[];
    readonly targets: (number | null)[];
    readonly auroc: number;
    readonly variance: number;
    readonly covariance: number;
    readonly interval: [number, number];
    readonly difference: number;
    readonly differenceInterval: [number, number];
    readonly p: number;
    /** R's pROC, where each patient has one image. */
    readonly proc: {
      readonly variance: number;
      readonly covariance: number;
      readonly interval: [low: number, auroc: number, high: number];
      readonly z: number;
      readonly p: number;
    } | null;
  }[];
}

const golden = readGolden<Golden>('delong.json');

function componentsOf(scores: readonly number[], targets: ArrayLike<number>, patients?: readonly number[]) {
  const numbered = numberPatients({ n: scores.length, ...(patients && { patients }) });
  return aurocComponents(rankScores(scores, targets), numbered);
}

const beside = golden.cases.flatMap(({ proc, ...given }) => (proc ? [{ ...given, proc }] : []));

describe.each(beside)('DeLong as R’s pROC has it: $name', ({ first, second, proc, ...given }) => {
  const targets = withNaN(given.targets);

  test('variance, covariance and the interval, which is not on the logit scale', () => {
    const [a, b] = [componentsOf(first, targets), componentsOf(second, targets)];
    const variance = aurocCovariance(a, a);
    expect(variance).toBeCloseTo(proc.variance, 13);
    expect(aurocCovariance(a, b)).toBeCloseTo(proc.covariance, 13);
    const reach = 1.959963984540054 * Math.sqrt(variance);
    expect(a.auroc - reach).toBeCloseTo(proc.interval[0], 12);
    expect(a.auroc).toBeCloseTo(proc.interval[1], 13);
    expect(a.auroc + reach).toBeCloseTo(proc.interval[2], 12);
  });

  test('the paired test', () => {
    const { interval, p } = delongDifference(second, first, targets);
    expect(p).toBeCloseTo(proc.p, 12);
    const error = (interval.high - interval.low) / (2 * 1.959963984540054);
    expect(interval.estimate / error).toBeCloseTo(proc.z, 11);
  });
});

describe.each(golden.cases)('DeLong and Obuchowski from the formulas: $name', (given) => {
  const targets = withNaN(given.targets);
  const { patients } = given;

  test('variance and covariance', () => {
    const [a, b] = [
      componentsOf(given.first, targets, patients),
      componentsOf(given.second, targets, patients),
    ];
    expect(a.auroc).toBeCloseTo(given.auroc, 12);
    expect(aurocCovariance(a, a)).toBeCloseTo(given.variance, 14);
    expect(aurocCovariance(a, b)).toBeCloseTo(given.covariance, 14);
  });

  test('intervals and p', () => {
    const one = delongInterval(given.first, targets, { patients });
    expect(one).toMatchObject({ method: 'DeLong', whyMissing: null });
    expect(one.low).toBeCloseTo(given.interval[0], 11);
    expect(one.high).toBeCloseTo(given.interval[1], 11);
    const { interval, p } = delongDifference(given.first, given.second, targets, { patients });
    expect(interval.estimate).toBeCloseTo(given.difference, 12);
    expect(interval.low).toBeCloseTo(given.differenceInterval[0], 11);
    expect(interval.high).toBeCloseTo(given.differenceInterval[1], 11);
    expect(p).toBeCloseTo(given.p, 11);
  });
});

describe('where there is no interval', () => {
  test.each([
    ['no known target', [Number.NaN, Number.NaN, Number.NaN, Number.NaN], undefined],
    ['no positive target', [0, 0, 0, 0], undefined],
    ['no negative target', [1, 1, 1, 1], undefined],
    ['one patient alone has positives', [1, 1, 0, 0], ['p', 'p', 'q', 'r']],
    ['one patient alone has negatives', [1, 1, 0, 0], ['p', 'q', 'r', 'r']],
    ['the order is perfect', [0, 0, 1, 1], undefined],
  ])('%s', (reason, targets, patients) => {
    const interval = delongInterval([0.1, 0.2, 0.3, 0.4], targets, { ...(patients && { patients }) });
    expect(interval).toMatchObject({ low: Number.NaN, high: Number.NaN, whyMissing: reason });
  });

  test('a model beside one that ranks alike', () => {
    const scores = [0.3, 0.1, 0.7, 0.2, 0.9];
    const { interval, p } = delongDifference(
      scores,
      scores.map((score) => score ** 3),
      [0, 1, 1, 0, 1],
    );
    expect(interval).toMatchObject({
      estimate: 0,
      low: Number.NaN,
      whyMissing: 'both rank the images alike',
    });
    expect(p).toBeNaN();
  });
});
