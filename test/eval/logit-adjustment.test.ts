import fc from 'fast-check';
import { expect, test } from 'vitest';
import { logitShifts, shiftProbability } from '../../src/eval/logit-adjustment.js';
import { summarize } from '../../src/eval/metrics/summarize.js';
import { adjustPredictions, describeAdjustment } from '../../src/predict/adjust-predictions.js';

test('what a class owes to its frequency is taken off its logit', () => {
  const [rare, even, none, all, unknown] = logitShifts([0.01, 0.5, 0, 1, null], 1);
  expect(rare).toBeCloseTo(Math.log(99), 12);
  expect(even).toBeCloseTo(0, 12);
  expect([none, all, unknown]).toEqual([null, null, null]);
  // a network that has learnt nothing but the frequency becomes undecided
  expect(shiftProbability(0.01, rare!)).toBeCloseTo(0.5, 12);
  expect(logitShifts([0.2], 0.5)[0]).toBeCloseTo(-0.5 * Math.log(0.25), 12);
});

test('the logit is shifted, the ends stay', () => {
  const logit = (p: number) => Math.log(p / (1 - p));
  fc.assert(
    fc.property(
      fc.double({ min: 0.001, max: 0.999, noNaN: true }),
      fc.double({ min: -5, max: 5, noNaN: true }),
      (p, shift) => {
        expect(logit(shiftProbability(p, shift))).toBeCloseTo(logit(p) + shift, 9);
      },
    ),
  );
  expect([0, 1].map((p) => shiftProbability(p, 7))).toEqual([0, 1]);
});

test('AP and AUROC stay, F1 at 0.5 follows; an unreadable image stays unreadable', () => {
  const classes = ['rare', 'frequent'];
  const probabilities = [
    [0.02, 0.9],
    [0.2, 0.6],
    [0.01, 0.7],
    [0.3, 0.95],
  ];
  const labels = [0, 1, 1, 0, 0, 1, 1, 1];
  const rows = probabilities.map((row, i) => ({ image: `${i}`, probabilities: row, split: '', note: '' }));
  const broken = { image: 'b', probabilities: null, split: '', note: 'truncated' };
  const result = adjustPredictions({ classes, rows: [...rows, broken] }, [0.05, null], 1);
  expect(result.predictions.rows[4]).toEqual(broken);
  expect(describeAdjustment(1, result)).toMatch(/tau 1; left as they are: frequent\.$/);
  const measure = (scores: number[]) => summarize(scores, labels, { n: 4, classes: 2, classNames: classes });
  const before = measure(probabilities.flat());
  const after = measure(result.predictions.rows.slice(0, 4).flatMap((row) => Array.from(row.probabilities!)));
  expect(after.macro.mAP).toBe(before.macro.mAP);
  expect(after.macro.auroc).toBe(before.macro.auroc);
  expect(before.perClass[0]!.f1).toBe(0);
  expect(after.perClass[0]!.f1).toBe(1);
});
