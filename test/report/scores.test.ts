import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ExaminedRun, PrimaryPart } from '../../src/report/examine-run.js';
import { missedTogether } from '../../src/report/missed-together.js';
import { scoreBins, scoreEdges, scoreHistogram } from '../../src/report/plots/score-histogram.js';

const probability = fc.float({ min: 0, max: 1, noNaN: true });
const target = fc.constantFrom(0, 1, Number.NaN);

test('every known image is in one bin, whatever the scores', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(probability, target), { minLength: 1 }), (rows) => {
      const scores = Float32Array.from(rows.map(([score]) => score));
      const targets = Float32Array.from(rows.map(([, label]) => label));
      const bins = scoreBins(scores, targets, scoreEdges(scores, 20));
      const total = (label: number) => rows.filter(([, each]) => each === label).length;
      expect(bins.reduce((sum, { positives }) => sum + positives, 0)).toBe(total(1));
      expect(bins.reduce((sum, { negatives }) => sum + negatives, 0)).toBe(total(0));
    }),
  );
});

test('scores lie in the bin whose edges hold them', () => {
  const scores = Float32Array.of(0.001, 0.02, 0.3, 0.97);
  const bins = scoreBins(scores, Float32Array.of(0, 0, 1, 1), scoreEdges(scores, 8));
  for (const [i, score] of scores.entries()) {
    const bin = bins.find(({ low, high }) => low <= score * (1 + 1e-6) && score < high * (1 + 1e-6));
    expect(i < 2 ? bin?.negatives : bin?.positives).toBe(1);
  }
  // equally wide in log odds
  const widths = bins.map(({ low, high }) => Math.log(high / (1 - high)) - Math.log(low / (1 - low)));
  for (const width of widths) expect(width).toBeCloseTo(widths[0] ?? 0, 6);
});

test('a histogram names its class as text and marks the threshold', () => {
  const scores = Float32Array.of(0.1, 0.9);
  const bins = scoreBins(scores, Float32Array.of(0, 1), scoreEdges(scores, 8));
  const drawn = (threshold: number) => scoreHistogram(bins, { threshold, style: 'tail', name: '<b>' }).text;
  expect(drawn(0.5)).toContain('Scores of &lt;b&gt;: 1 positive above the line, 1 negative below');
  expect(drawn(0.5)).toContain('class="guess"');
  expect(drawn(Number.NaN)).not.toMatch(/class="guess"|NaN/);
});

test('what else was labelled, and what was raised instead, where a finding was missed', () => {
  const names = ['a', 'b', 'c'];
  // thresholds are 0.5; a is missed in the first two images and found in the third
  const rows: [number[], number[]][] = [
    [
      [0.1, 0.9, 0.1],
      [1, 1, 0],
    ],
    [
      [0.2, 0.1, 0.8],
      [1, 0, 0],
    ],
    [
      [0.9, 0.1, 0.1],
      [1, 1, 0],
    ],
    [
      [0.1, 0.1, 0.9],
      [0, 0, Number.NaN],
    ],
  ];
  const part = {
    n: rows.length,
    scores: Float32Array.from(rows.flatMap(([scores]) => scores)),
    targets: Float32Array.from(rows.flatMap(([, targets]) => targets)),
    summary: { perClass: names.map((name) => ({ name, bestThreshold: 0.5 })) },
    name: 'test',
  };
  const run = {
    classes: names.map((name, index) => ({ name, index, prevalence: 0.1, group: null, trainPositives: 1 })),
    validation: null,
    primary: part,
  };
  const counts = missedTogether(run as unknown as ExaminedRun, part as unknown as PrimaryPart);
  expect([...counts.missed]).toEqual([2, 1, 0]);
  expect([...counts.found]).toEqual([1, 1, 0]);
  expect([...counts.labelled]).toEqual([0, 1, 0, 1, 0, 0, 0, 0, 0]);
  expect([...counts.labelledWhenFound]).toEqual([0, 1, 0, 1, 0, 0, 0, 0, 0]);
  expect([...counts.raised]).toEqual([0, 0, 1, 0, 0, 0, 0, 0, 0]);
});
