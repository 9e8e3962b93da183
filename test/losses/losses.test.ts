import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { Random } from '../../src/engine/random.js';
import { checkLoss } from '../../src/losses/check-loss.js';
import { defineLoss } from '../../src/losses/define/define-loss.js';
import { logistic } from '../../src/losses/define/logistic.js';
import { LossError } from '../../src/losses/define/loss-error.js';
import { referenceLoss } from '../../src/losses/define/reference-loss.js';
import { evaluateLoss } from '../../src/losses/evaluate-loss.js';
import { findLoss, registerLoss } from '../../src/losses/registry.js';
import { testDevice } from '../device.js';
import { expectClose } from '../kernels/check-op.js';
import { entryLoss } from './entry-loss.js';

describe('asl', () => {
  test('a negative at p = 0.01 / 0.9 costs 0 / 0.990 with the published defaults', async () => {
    const device = await testDevice();
    for (const [p, cost] of [
      [0.01, 0],
      [0.9, 0.99],
    ] as const) {
      const { value } = await evaluateLoss(device, { name: 'asl' }, [Math.log(p / (1 - p))], [0], {
        n: 1,
        classes: 1,
      });
      expect(Math.abs(value - cost)).toBeLessThan(5e-4);
    }
  });
});

describe('reductions', () => {
  /** Rows of zeros, of ones, of unknowns, of a mixture; logits from tiny to huge. */
  function batch(n: number, classes: number) {
    const random = new Random(8, n, classes);
    const rows = [() => 0, () => 1, () => Number.NaN, () => random.pick([0, 1, 0.25, Number.NaN])];
    const targets = Float32Array.from({ length: n * classes }, (_, i) =>
      rows[Math.floor(i / classes) % 4]!(),
    );
    const logits = Float32Array.from({ length: n * classes }, () => random.normal(0, 10 ** random.int(3)));
    return { logits, targets };
  }

  test.each([
    [1, 1],
    [3, 1],
    [5, 30],
    [64, 36],
    [2, 3_999],
    [1, 4_000],
    [5_000, 1],
  ])('mean, sum and batchmean of [%i, %i], with and without sample weights', async (n, classes) => {
    const device = await testDevice();
    const { logits, targets } = batch(n, classes);
    const bound = findLoss('asl').bind({});
    for (const sampleWeights of [undefined, Float32Array.from({ length: n }, (_, i) => (i % 3) / 2)]) {
      for (const reduction of ['mean', 'sum', 'batchmean'] as const) {
        const weighted = { reduction, ...(sampleWeights && { sampleWeights }) };
        const expected = referenceLoss(bound, { n, classes, logits, targets, ...weighted });
        const result = await evaluateLoss(device, { name: 'asl' }, logits, targets, {
          n,
          classes,
          ...weighted,
        });
        expectClose([result.value], [expected.value], 1e-5, reduction);
        expectClose(result.grad, expected.gradient, 1e-5, reduction);
      }
    }
  });

  test('the mean of nothing known is 0, with a gradient of 0', async () => {
    const unknown = [Number.NaN, Number.NaN];
    const device = await testDevice();
    expect(await evaluateLoss(device, { name: 'bce' }, [5, -5], unknown, { n: 1, classes: 2 })).toEqual({
      value: 0,
      grad: new Float32Array(2),
    });
  });
});

describe('parameters and statistics', () => {
  test('balanced BCE weights positives by (N − n)/n, a class without positives as if it had one', () => {
    const bound = entryLoss(findLoss('weighted-bce'), { form: 'balanced' });
    expect(bound.classConstants({ classes: 3, classCounts: [10, 50, 0], samples: 100 })).toEqual([
      [9, 1, 100],
      [1, 1, 1],
    ]);
    // of labels that are unknown nothing is assumed
    const known = [40, 50, 100];
    expect(bound.classConstants({ classes: 3, classCounts: [10, 50, 0], samples: 100, known })[0]).toEqual([
      3, 0.02, 100,
    ]);
    expect(() => bound.classConstants({ classes: 1, classCounts: [10], samples: 100, known: [9] })).toThrow(
      /classCounts\[0\] is 10.*known \(9\)/,
    );
    expect(() => bound.classConstants({ classes: 3 })).toThrow(/classCounts/);
    expect(() => bound.classConstants({ classes: 2, classCounts: [1], samples: 9 })).toThrow(
      /1 classCounts for 2/,
    );
    expect(() => bound.classConstants({ classes: 1, classCounts: [10], samples: 9 })).toThrow(
      /classCounts\[0\]/,
    );
  });

  test('weights a class reach their own class', async () => {
    const device = await testDevice();
    const posWeight = [1, 2, 3, 4, 5, 6, 7, 8];
    const result = await evaluateLoss(
      device,
      { name: 'bce', posWeight },
      Array(16).fill(0),
      Array(16).fill(1),
      {
        n: 2,
        classes: 8,
        reduction: 'sum',
      },
    );
    expectClose(
      result.grad,
      [...posWeight, ...posWeight].map((weight) => -weight / 2),
      1e-6,
    );
  });

  test('what does not fit is named', async () => {
    const device = await testDevice();
    const attempt = (name: string, parameters: object, targets = [0], options = { n: 1, classes: 1 }) =>
      evaluateLoss(device, { name, ...parameters }, [0], targets, options);
    await expect(attempt('asl', { gammaNegative: 4 })).rejects.toThrow(/gammaNegative/);
    await expect(attempt('asl', { gammaNeg: -1 })).rejects.toThrow(/gammaNeg/);
    await expect(attempt('bce', { labelSmoothing: 1 })).rejects.toThrow(/labelSmoothing/);
    await expect(attempt('bce', { posWeight: [1, 2] })).rejects.toThrow(/2 values for 1 classes/);
    await expect(attempt('alsl', {})).rejects.toThrow(/there are bce, weighted-bce, focal, .*, two-way/);
    await expect(attempt('db', {})).rejects.toThrow(/"db".*needs classCounts/);
    await expect(attempt('bce', {}, [2])).rejects.toThrow(/row 0, class 0 is 2/);
    await expect(attempt('bce', {}, [0], { n: 2, classes: 1 })).rejects.toThrow(LossError);
    await expect(attempt('bce', {}, [0], { n: 0, classes: 1 })).rejects.toThrow(LossError);
  });

  test('a loss of one’s own is one definition', async () => {
    const device = await testDevice();
    registerLoss(
      defineLoss({
        name: 'test-margin',
        summary: 'cross-entropy of a logit that a rarer class is moved further',
        source: 'this test',
        parameters: z.strictObject({ scale: z.number().positive().default(0.5) }),
        classConstants: {
          names: ['margin'],
          values: ({ scale }, { classes }) => ({
            margin: Array.from({ length: classes }, (_, c) => scale * c),
          }),
        },
        wgsl: () => `fn loss(x: f32, y: f32, margin: f32) -> vec2f {
          let s = logistic(x - y * margin);
          return vec2f(y * s.minusLogP + (1.0 - y) * s.minusLogQ, s.p - y);
        }`,
        reference(_parameters, x, y, { margin }) {
          const s = logistic(x - y * margin);
          return { value: y * s.minusLogP + (1 - y) * s.minusLogQ, slope: s.p - y };
        },
        flops: 40,
      }),
    );
    const { value } = await evaluateLoss(device, { name: 'test-margin', scale: 2 }, [0, 4], [1, 1], {
      n: 1,
      classes: 2,
      reduction: 'sum',
    });
    expect(value).toBeCloseTo(Math.log(2) + Math.log1p(Math.exp(-2)), 5);
    const check = await checkLoss(device, entryLoss(findLoss('test-margin')), { classes: 2 });
    expect(check.difference!.error).toBeLessThan(1e-6);
    expect(() => registerLoss(findLoss('test-margin'))).toThrow(/registered already/);
    // or without registering it
    const same = await evaluateLoss(device, { name: findLoss('test-margin'), scale: 2 }, [0, 4], [1, 1], {
      n: 1,
      classes: 2,
      reduction: 'sum',
    });
    expect(same.value).toBe(value);
  });
});
