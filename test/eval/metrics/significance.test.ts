import { describe, expect, test } from 'vitest';
import { holm } from '../../../src/eval/metrics/multiple-tests.js';
import { meanInterval, tCdf, tQuantile, tTest } from '../../../src/eval/metrics/student-t.js';

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

test('Holm’s correction steps down and never falls', () => {
  // R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
  expect(holm([0.01, 0.04, 0.03, 0.005]).map((p) => Number(p.toFixed(6)))).toEqual([0.03, 0.06, 0.06, 0.02]);
  expect(holm([0.5, Number.NaN, 0.9])).toEqual([1, Number.NaN, 1]);
});
