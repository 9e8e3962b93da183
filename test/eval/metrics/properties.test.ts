import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectedCalibrationError, reliability } from '../../../src/eval/metrics/calibration-error.js';
import { bestF1, f1 } from '../../../src/eval/metrics/f1.js';
import { averagePrecision, precisionRecallCurve } from '../../../src/eval/metrics/precision-recall.js';
import { rocAuc, rocCurve } from '../../../src/eval/metrics/roc.js';
import { ScoreSheet } from '../../../src/eval/metrics/score-sheet.js';

/** What must hold of every metric whatever the data: few distinct scores, so that ties are the rule. */

interface Examples {
  scores: number[];
  targets: number[];
}

const example = fc.tuple(
  fc.oneof(
    { weight: 3, arbitrary: fc.integer({ min: 0, max: 8 }).map((k) => k / 8) },
    { weight: 1, arbitrary: fc.double({ min: 0, max: 1, noNaN: true }) },
  ),
  fc.constantFrom(0, 0, 0, 1, 1, Number.NaN),
);
const examples: fc.Arbitrary<Examples> = fc
  .array(example, { maxLength: 60 })
  .map((rows) => ({ scores: rows.map(([s]) => s), targets: rows.map(([, t]) => t) }));
const bothOutcomes = examples.filter(({ targets }) => targets.includes(0) && targets.includes(1));

const binnings = fc.constantFrom('width' as const, 'mass' as const);

const holds = (property: fc.IRawProperty<unknown>) => fc.assert(property, { numRuns: 300 });

describe('ranking metrics', () => {
  it('count pairs: AUROC is the share of positive-negative pairs in the right order', () => {
    holds(
      fc.property(bothOutcomes, ({ scores, targets }) => {
        const of = (label: number) => scores.filter((_, i) => targets[i] === label);
        let sum = 0;
        for (const p of of(1)) for (const q of of(0)) sum += p > q ? 1 : p === q ? 0.5 : 0;
        expect(rocAuc(scores, targets)).toBeCloseTo(sum / (of(1).length * of(0).length), 12);
      }),
    );
  });

  it('AUROC of negated scores is its complement', () => {
    holds(
      fc.property(bothOutcomes, ({ scores, targets }) => {
        const negated = scores.map((s) => -s);
        expect(rocAuc(negated, targets)).toBeCloseTo(1 - rocAuc(scores, targets), 12);
      }),
    );
  });

  it('do not change under a monotone map of the scores', () => {
    holds(
      fc.property(bothOutcomes, ({ scores, targets }) => {
        // Exact for multiples of 2⁻⁵³ in [0, 1]: no two different scores become one.
        const mapped = scores.map((s) => 4 * s);
        expect(averagePrecision(mapped, targets)).toBe(averagePrecision(scores, targets));
        expect(rocAuc(mapped, targets)).toBe(rocAuc(scores, targets));
        expect(bestF1(mapped, targets).f1).toBe(bestF1(scores, targets).f1);
      }),
    );
  });

  it('do not depend on the order of the examples', () => {
    holds(
      fc.property(bothOutcomes, fc.infiniteStream(fc.nat()), ({ scores, targets }, keys) => {
        const order = scores
          .map((_, i) => [keys.next().value as number, i] as const)
          .sort(([a], [b]) => a - b);
        const s = order.map(([, i]) => scores[i]!);
        const t = order.map(([, i]) => targets[i]!);
        expect(averagePrecision(s, t)).toBe(averagePrecision(scores, targets));
        expect(rocAuc(s, t)).toBe(rocAuc(scores, targets));
        expect(f1(s, t)).toBe(f1(scores, targets));
        expect(expectedCalibrationError(s, t)).toBeCloseTo(expectedCalibrationError(scores, targets), 12);
      }),
    );
  });

  it('a constant guess has the prevalence as average precision, and AUROC ½', () => {
    holds(
      fc.property(bothOutcomes, ({ scores, targets }) => {
        const known = targets.filter((t) => !Number.isNaN(t));
        const constant = scores.map(() => 0.3);
        expect(averagePrecision(constant, targets)).toBeCloseTo(
          known.filter((t) => t === 1).length / known.length,
          12,
        );
        expect(rocAuc(constant, targets)).toBe(0.5);
      }),
    );
  });

  it('are the area under the curves that are drawn', () => {
    holds(
      fc.property(bothOutcomes, ({ scores, targets }) => {
        const pr = precisionRecallCurve(scores, targets);
        const roc = rocCurve(scores, targets);
        let ap = 0;
        for (let i = 1; i < pr.recall.length; i++)
          ap += (pr.recall[i]! - pr.recall[i - 1]!) * pr.precision[i]!;
        let auc = 0;
        for (let i = 1; i < roc.truePositiveRate.length; i++) {
          const width = roc.falsePositiveRate[i]! - roc.falsePositiveRate[i - 1]!;
          auc += (width * (roc.truePositiveRate[i]! + roc.truePositiveRate[i - 1]!)) / 2;
        }
        expect(averagePrecision(scores, targets)).toBeCloseTo(ap, 12);
        expect(rocAuc(scores, targets)).toBeCloseTo(auc, 12);
      }),
    );
  });
});

describe('weights', () => {
  it('count an example as often as if it stood there as often', () => {
    holds(
      fc.property(bothOutcomes, fc.infiniteStream(fc.nat(3)), ({ scores, targets }, times) => {
        const weights = Uint32Array.from(scores, () => times.next().value as number);
        const repeat = (values: readonly number[]) =>
          values.flatMap((value, i) => Array.from({ length: weights[i]! }, () => value));
        const shape = { classes: 1, classNames: ['a'], pooled: true, thresholds: [0.3] };
        const weighted = new ScoreSheet(scores, targets, { n: scores.length, ...shape }).measure(weights);
        const repeated = repeat(scores);
        const plain = new ScoreSheet(repeated, repeat(targets), { n: repeated.length, ...shape }).measure();
        for (const [i, value] of weighted.entries()) {
          if (Number.isNaN(value)) expect(plain[i]).toBeNaN();
          else expect(value).toBeCloseTo(plain[i]!, 12);
        }
      }),
    );
  });
});

describe('unknown targets', () => {
  it('change nothing, whatever their score', () => {
    holds(
      fc.property(
        bothOutcomes,
        fc.array(fc.double({ min: 0, max: 1, noNaN: true })),
        ({ scores, targets }, extra) => {
          const s = [...scores, ...extra];
          const t = [...targets, ...extra.map(() => Number.NaN)];
          for (const metric of [averagePrecision, rocAuc, f1, expectedCalibrationError]) {
            expect(metric(s, t)).toBe(metric(scores, targets));
          }
        },
      ),
    );
  });
});

describe('F1 and calibration', () => {
  it('no threshold beats the best one', () => {
    holds(
      fc.property(
        bothOutcomes,
        fc.double({ min: -1, max: 2, noNaN: true }),
        ({ scores, targets }, threshold) => {
          expect(bestF1(scores, targets).f1).toBeGreaterThanOrEqual(f1(scores, targets, { threshold }));
        },
      ),
    );
  });

  it('the bins hold every known example once, and their means lie inside', () => {
    holds(
      fc.property(
        examples,
        fc.integer({ min: 1, max: 20 }),
        binnings,
        ({ scores, targets }, bins, binning) => {
          const drawn = reliability(scores, targets, { bins, binning });
          expect(drawn).toHaveLength(bins);
          expect(drawn.reduce((sum, bin) => sum + bin.count, 0)).toBe(
            targets.filter((t) => !Number.isNaN(t)).length,
          );
          for (const bin of drawn.filter(({ count }) => count > 0)) {
            expect(bin.meanScore).toBeGreaterThanOrEqual(bin.low - 1e-12);
            expect(bin.meanScore).toBeLessThanOrEqual(bin.high + 1e-12);
          }
        },
      ),
    );
  });

  it('probabilities equal to the targets are calibrated perfectly, their opposites not at all', () => {
    holds(
      fc.property(bothOutcomes, ({ targets }) => {
        const known = targets.filter((t) => !Number.isNaN(t));
        expect(expectedCalibrationError(known, known)).toBe(0);
        expect(
          expectedCalibrationError(
            known.map((t) => 1 - t),
            known,
          ),
        ).toBeCloseTo(1, 12);
      }),
    );
  });
});
