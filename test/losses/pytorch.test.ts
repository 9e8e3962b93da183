import { describe, expect, test } from 'vitest';
import { referenceLoss } from '../../src/losses/define/reference-loss.js';
import { evaluateLoss } from '../../src/losses/evaluate-loss.js';
import { findLoss, registeredLosses } from '../../src/losses/registry.js';
import { testDevice } from '../device.js';
import { readGolden, withNaN } from '../golden/golden-files.js';

/** make_losses.py's formulas, differentiated by PyTorch in float64. */
interface LossGolden {
  logits: number[];
  targets: (number | null)[];
  classCounts: number[];
  samples: number;
  ranking: {
    scores: number[];
    labels: number[];
    weights: number[];
    averagePrecision: number;
    weighted: number;
  };
  cases: { name: string; parameters: Record<string, unknown>; value: number; gradients: number[] }[];
}

const golden = readGolden<LossGolden>('losses.json');
const { logits, classCounts, samples } = golden;
const targets = withNaN(golden.targets);
const classes = 3;
const n = targets.length / classes;

/**
 * Gradients are compared each by itself, down to this. Below, PyTorch's float64 has lost p(1−p) itself at |x| = 40,
 * e^(30·x) has lost its digits to the rounding of 30·x in f32, and an image's pairs cancel each other.
 */
const LEAST = 1e-10;
const LEAST_OF: Record<string, number> = { ldam: 1e-4, 'ldam-drw': 1e-4, 'smooth-ap': 1e-4 };

describe('losses against PyTorch', () => {
  for (const { name, parameters: given, value, gradients } of golden.cases) {
    const { weightGradient, epoch = 0, progress = 0, ...rest } = given;
    const parameters = weightGradient === undefined ? rest : { ...rest, detachFocus: !weightGradient };
    const moment = { epoch: Number(epoch), progress: Number(progress) };

    test(`${name} ${JSON.stringify({ ...parameters, ...moment })}`, async () => {
      const batch = { n, classes, logits, targets, reduction: 'sum' as const };
      const statistics = { classCounts, samples };
      const exact = referenceLoss(findLoss(name).bind(parameters), batch, { statistics, moment });
      expect(Math.abs(exact.value / value - 1)).toBeLessThan(1e-9);
      expectSlopes(exact.gradient, gradients, 1e-6, 1e-8);

      const result = await evaluateLoss(await testDevice(), { name, ...parameters }, logits, targets, {
        n,
        classes,
        reduction: 'sum',
        ...statistics,
        ...moment,
      });
      expect(Math.abs(result.value / value - 1)).toBeLessThan(1e-5);
      expectSlopes(result.grad, gradients, LEAST_OF[name] ?? LEAST, 1e-5);
    });
  }

  test('smooth-ap tends to 1 − AP of scikit-learn as its temperature falls, with sample weights, too', async () => {
    const { scores, labels, weights, averagePrecision, weighted } = golden.ranking;
    const device = await testDevice();
    for (const [limit, sampleWeights] of [
      [1 - averagePrecision, undefined],
      [1 - weighted, weights],
    ] as const) {
      const distances: number[] = [];
      for (const temperature of [0.5, 0.1, 0.03, 0.005]) {
        const { value } = await evaluateLoss(device, { name: 'smooth-ap', temperature }, scores, labels, {
          n: scores.length,
          classes: 1,
          ...(sampleWeights && { sampleWeights }),
        });
        distances.push(Math.abs(value - limit));
      }
      expect(distances).toEqual([...distances].sort((a, b) => b - a));
      expect(distances[0]).toBeGreaterThan(1e-3);
      expect(distances.at(-1)).toBeLessThan(1e-6);
    }
  });

  test('every loss is among them', () => {
    const names = new Set(golden.cases.map(({ name }) => name));
    expect(
      registeredLosses()
        .map(({ name }) => name)
        .filter((name) => !names.has(name)),
    ).toEqual([]);
  });
});

function expectSlopes(
  actual: ArrayLike<number>,
  expected: readonly number[],
  least: number,
  tolerance: number,
): void {
  for (const [i, slope] of expected.entries()) {
    const error = Math.abs(actual[i]! - slope) / Math.max(Math.abs(slope), least);
    expect(error, `${logits[i]}, ${targets[i]}, class ${i % classes}: ${actual[i]} vs ${slope}`).toBeLessThan(
      tolerance,
    );
    if (Number.isNaN(targets[i]!)) expect(actual[i]).toBe(0);
  }
}
