import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '#src/engine/random.js';
import { summarize } from '#src/eval/metrics/summarize.js';
import { stackingCurve, stackScores } from '#src/zeroshot/calibrated-stacking.js';
import { evaluateGeneralised, harmonicMean } from '#src/zeroshot/generalised.js';
import { ScoringError } from '#src/zeroshot/scoring/scoring-error.js';

const N = 60;
const classNames = ['A', 'B', 'C', 'D', 'E'];
const kinds = { seen: ['D', 'A', 'C'], unseen: ['B', 'E'] };
const shape = { n: N, classes: 5, classNames };

function sample(seed: number, n = N) {
  const random = new Random(seed, 'generalised');
  const targets = Array.from({ length: 5 * n }, () =>
    random.chance(0.05) ? Number.NaN : Number(random.chance(0.3)),
  );
  const scores = targets.map((y) => (Number.isNaN(y) ? 0 : y) + random.normal());
  return { targets, scores };
}

describe('evaluateGeneralised', () => {
  const { scores, targets } = sample(1);
  const options = {
    ...shape,
    ...kinds,
    resamples: 80,
    patients: Array.from({ length: N }, (_, i) => i >> 1),
  };

  it('is the macro means of the classes of either kind', () => {
    const { mAP, auroc } = evaluateGeneralised(scores, targets, options);
    const rows = summarize(scores, targets, shape).perClass;
    for (const [means, key] of [[mAP, 'ap'] as const, [auroc, 'auroc'] as const]) {
      const over = (names: string[]) => {
        const own = rows.filter(({ name }) => names.includes(name)).map((row) => row[key]);
        return own.reduce((a, b) => a + b) / own.length;
      };
      expect(means.seen.estimate).toBeCloseTo(over(kinds.seen), 12);
      expect(means.unseen.estimate).toBeCloseTo(over(kinds.unseen), 12);
      expect(means.all.estimate).toBeCloseTo(over(classNames), 12);
      const [s, u] = [over(kinds.seen), over(kinds.unseen)];
      expect(means.harmonicMean.estimate).toBeCloseTo((2 * s * u) / (s + u), 12);
      for (const { low, estimate, high } of Object.values(means)) {
        expect(low < estimate && estimate < high).toBe(true);
      }
    }
  });

  it('says why there is no interval', () => {
    const none = targets.map((y, i) => (i % 5 === 1 || i % 5 === 4 ? 0 : y));
    const { harmonicMean: mean } = evaluateGeneralised(scores, none, options).mAP;
    expect([mean.estimate, mean.whyMissing]).toEqual([Number.NaN, 'no positive target']);
  });

  it('refuses lists of classes that make no sense', () => {
    const refused = (more: object, message: string) =>
      expect(() => evaluateGeneralised(scores, targets, { ...options, ...more })).toThrow(message);
    refused({ unseen: ['A'] }, 'A: named as seen and as unseen');
    refused({ unseen: [] }, 'there is no unseen class');
    refused({ unseen: ['Effusion'] }, 'there is no column of the unseen class "Effusion"');
  });

  it('has 0 for two zeros', () =>
    expect([harmonicMean(0, 0), harmonicMean(1, 0), harmonicMean(0.5, 1)]).toEqual([0, 0, 2 / 3]));
});

describe('calibrated stacking', () => {
  it('takes a constant off the seen classes, which leaves AP and AUROC as they are', () => {
    const { targets } = sample(2);
    const scores = sample(3).scores.map((score) => Math.round(score * 1024) / 1024);
    const stacked = stackScores(scores, 0.25, { classNames, ...kinds });
    expect([...stacked.slice(0, 5)]).toEqual(
      scores.slice(0, 5).map((score, c) => score - ([0, 2, 3].includes(c) ? 0.25 : 0)),
    );
    const of = (values: ArrayLike<number>) =>
      summarize(values, targets, shape).perClass.map(({ ap, auroc }) => [ap, auroc]);
    expect(of(stacked)).toEqual(of(scores));
  });

  it('by hand: one seen and one unseen class, k = 1', () => {
    // the seen finding stays first up to γ = 2; the unseen ones come first from γ = 1 and γ = 3
    const curve = stackingCurve([2, 0, 1, 0, 3, 0], [1, 0, 0, 1, 0, 1], {
      n: 3,
      classes: 2,
      classNames: ['S', 'U'],
      seen: ['S'],
      unseen: ['U'],
      k: 1,
    });
    expect(curve.points.map(({ gamma, seen, unseen }) => [gamma, seen, unseen])).toEqual([
      [0, 1, 0],
      [1.5, 1, 0.5],
      [2.5, 0, 0.5],
      [4, 0, 1],
    ]);
    expect(curve.area).toBe(0.5);
    expect(curve.best.gamma).toBe(1.5);
    expect(curve.best.harmonicMean).toBeCloseTo(2 / 3, 12);
    expect(curve.unchanged).toEqual(curve.points[0]);
  });

  it('is what counting the k highest scores of each image gives, for every γ', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 999 }), fc.integer({ min: 1, max: 6 }), (seed, k) => {
        const { scores, targets } = sample(seed, 12);
        const { points, area } = stackingCurve(scores, targets, { ...shape, n: 12, ...kinds, k });
        for (const { gamma, seen, unseen } of points) {
          const stacked = stackScores(scores, gamma, { classNames, ...kinds });
          const share = (names: string[]) => {
            let [found, all] = [0, 0];
            for (let at = 0; at < targets.length; at++) {
              if (targets[at] !== 1 || !names.includes(classNames[at % 5]!)) continue;
              all++;
              const from = at - (at % 5);
              const higher = stacked.slice(from, from + 5).filter((other) => other > stacked[at]!).length;
              if (higher < k) found++;
            }
            return found / all;
          };
          expect(seen).toBeCloseTo(share(kinds.seen), 9);
          expect(unseen).toBeCloseTo(share(kinds.unseen), 9);
        }
        expect(area).toBeGreaterThanOrEqual(0);
        expect(area).toBeLessThanOrEqual(1 + 1e-12);
        if (k >= 5) expect(area).toBe(1);
      }),
      { numRuns: 25 },
    );
  });

  it('refuses what it cannot measure', () => {
    const { scores, targets } = sample(4);
    const refused = (own: number[], labels: number[], k: number, message: string) => {
      const curve = () => stackingCurve(own, labels, { ...shape, ...kinds, k });
      expect(curve).toThrow(ScoringError);
      expect(curve).toThrow(message);
    };
    refused(scores, targets, 0, 'k 0: expected a positive integer');
    refused(scores, targets.slice(5), 1, '300 scores and 295 targets for 60 images × 5 classes');
    refused(scores.with(7, Number.NaN), targets, 1, 'the score of class "C" for image 1 is NaN');
    refused(
      scores,
      targets.map((y, i) => (i % 5 === 1 || i % 5 === 4 ? 0 : y)),
      1,
      'no unseen class has a positive',
    );
  });
});
