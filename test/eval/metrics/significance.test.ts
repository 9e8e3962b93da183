import { describe, expect, test } from 'vitest';
import { Random } from '../../../src/engine/random.js';
import { holm } from '../../../src/eval/metrics/multiple-tests.js';
import {
  crossedInterval,
  meanAndError,
  meanInterval,
  tCdf,
  tQuantile,
  tTest,
} from '../../../src/eval/metrics/student-t.js';

describe('Student’s t', () => {
  // scipy.stats.t.cdf([-2.5, 0.3, 1, 3.7], freedom) and .ppf(0.975, freedom)
  const scipy: [freedom: number, cdf: number[], quantile: number][] = [
    [
      1,
      [0.12111894159084335, 0.5927735790777423, 0.7500000000000002, 0.9159777371760524],
      12.706204736432095,
    ],
    [2, [0.0648058601107554, 0.6037571695799111, 0.7886751345948129, 0.9670466449028167], 4.302652729911275],
    [3, [0.04385332350403277, 0.6081183539800405, 0.8044988905221148, 0.9828610102478729], 3.182446305284263],
    [4, [0.03338327240599406, 0.6104392858612702, 0.8130495168499705, 0.989582285254775], 2.7764451051977987],
    [
      5,
      [0.027245049671188102, 0.6118754788683627, 0.8183912661754387, 0.9930002965121504],
      2.5705818366147395,
    ],
    [
      9,
      [0.016930913841492853, 0.6145046481292376, 0.8282818019310432, 0.9975397189053352],
      2.2621571627409915,
    ],
    [
      10,
      [0.015723422118304388, 0.6148396962171008, 0.82955343384897, 0.9979457515899799],
      2.2281388519649385,
    ],
    [
      29,
      [0.009162672169213034, 0.6168414533355161, 0.8372090059919032, 0.9995512634478119],
      2.045229642132703,
    ],
  ];
  test.each(scipy)('with %i degrees of freedom is scipy’s', (freedom, cdf, quantile) => {
    for (const [i, t] of [-2.5, 0.3, 1, 3.7].entries()) expect(tCdf(t, freedom)).toBeCloseTo(cdf[i]!, 12);
    expect(tCdf(0, freedom)).toBe(0.5);
    // scipy's quantile itself is off by 1e-9 with 5 degrees
    expect(tQuantile(0.975, freedom)).toBeCloseTo(quantile, 8);
    expect(tQuantile(0.025, freedom)).toBeCloseTo(-quantile, 8);
  });

  test('of a few values gives scipy’s p and an interval that ends at 0 where p is the level', () => {
    const values = [0.1, 0.3, -0.05, 0.2, 0.12];
    const p = tTest(values);
    expect(p).toBeCloseTo(0.08175374634522262, 12);
    expect(meanInterval(values, 1 - p).low).toBeCloseTo(0, 9);
    expect(tTest([0.2])).toBeNaN();
    expect(tTest([0, 0, 0])).toBe(1);
  });
});

describe('repetitions crossed with cases', () => {
  const values = [0.1, 0.3, -0.05, 0.2, 0.12];
  const { mean, error } = meanAndError(values);

  test('are the t-test where cases don’t matter, and sure where nothing does', () => {
    const alone = crossedInterval({ values, overCases: 0, overCasesOfOne: 0, cases: 100 });
    expect(alone.p).toBeCloseTo(tTest(values), 12);
    expect(alone.low).toBeCloseTo(meanInterval(values).low, 12);
    const none = { overCases: 0, overCasesOfOne: 0, cases: 9 };
    expect(crossedInterval({ values: [0, 0], ...none }).p).toBe(1);
    expect(crossedInterval({ values: [1, 1], ...none }).p).toBe(0);
    expect(crossedInterval({ values: [1], ...none }).p).toBeNaN();
  });

  test('count what is in both variances once', () => {
    // the values differ by what each makes of each case alone: the variance over cases is the same thing again
    const same = crossedInterval({
      values,
      overCases: error ** 2,
      overCasesOfOne: 5 * error ** 2,
      cases: 1000,
    });
    expect(same.p).toBeCloseTo(tTest(values), 12);
    // nothing in common: Welch's degrees of freedom, just below 4 · (1 + 1)²
    const apart = crossedInterval({
      values,
      overCases: error ** 2,
      overCasesOfOne: error ** 2,
      cases: 1_000_000,
    });
    expect(apart.p).toBeCloseTo(2 * (1 - tCdf(mean / (Math.SQRT2 * error), 15)), 12);
  });

  // patients, seeds, and both together: variances of the mean of five seeds
  test.each([
    [1, 0, 0],
    [0, 0, 1],
    [0, 1, 0],
    [1, 1, 0],
    [2, 1, 0],
    [1, 1, 1],
    [4, 1, 4],
    [1, 4, 1],
  ])('raise false alarms at the level it says: cases %d, repetitions %d, both %d', (C, R, X) => {
    const [trials, seeds, cases] = [1500, 5, 60];
    let [alarms, eitherAlone] = [0, 0];
    for (let trial = 0; trial < trials; trial++) {
      const random = new Random(3, 'crossed', C, R, X, trial);
      const ofCase = Float64Array.from({ length: cases }, () => random.normal(0, Math.sqrt(C * cases)));
      const judged = Array.from({ length: seeds }, () => {
        const own = random.normal(0, Math.sqrt(R * seeds));
        return ofCase.map((value) => value + own + random.normal(0, Math.sqrt(X * seeds * cases)));
      });
      const means = judged.map((each) => each.reduce((sum, value) => sum + value, 0) / cases);
      // what a bootstrap over cases tends to: the squared standard error
      const over = (each: Float64Array) => meanAndError([...each]).error ** 2;
      const average = ofCase.map((_, i) => judged.reduce((sum, each) => sum + (each[i] ?? 0), 0) / seeds);
      const overCases = over(average);
      const overCasesOfOne = judged.reduce((sum, each) => sum + over(each), 0) / seeds;
      const pBoth = crossedInterval({ values: means, overCases, overCasesOfOne, cases }).p;
      const z = Math.abs(meanAndError(means).mean) / Math.sqrt(overCases);
      const either = Math.max(2 * (1 - tCdf(z, cases - 1)), tTest(means));
      if (either < 0.05) eitherAlone++;
      if (Math.max(either, pBoth) < 0.05) alarms++;
    }
    // 3.5 deviations of a share of 5 %
    expect(alarms / trials).toBeLessThan(0.07);
    expect(alarms / trials).toBeGreaterThan(0.02);
    // what the combined test is there for
    if (C === 2 && R === 1) expect(eitherAlone / trials).toBeGreaterThan(0.07);
  });
});

test('Holm’s correction steps down and never falls', () => {
  // R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
  expect(holm([0.01, 0.04, 0.03, 0.005]).map((p) => Number(p.toFixed(6)))).toEqual([0.03, 0.06, 0.06, 0.02]);
  expect(holm([0.5, Number.NaN, 0.9])).toEqual([1, Number.NaN, 1]);
});
