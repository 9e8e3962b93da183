import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { Random } from '../../src/engine/random.js';
import { checkLoss } from '../../src/losses/check-loss.js';
import { defineLoss } from '../../src/losses/define-loss.js';
import { evaluateLoss } from '../../src/losses/evaluate-loss.js';
import { logistic } from '../../src/losses/logistic.js';
import { LossError } from '../../src/losses/loss-error.js';
import { findLoss, registeredLosses, registerLoss } from '../../src/losses/registry.js';
import { testDevice } from '../device.js';
import { readGolden, withNaN } from '../golden/golden-files.js';
import { expectClose } from '../kernels/check-op.js';

interface LossGolden {
  logits: number[];
  targets: (number | null)[];
  cases: {
    name: string;
    parameters: Record<string, unknown>;
    values: number[];
    gradients: number[];
  }[];
}

/** Beside the defaults, what changes a loss's formula. */
const VARIATIONS: Record<string, Record<string, unknown>[]> = {
  bce: [{ posWeight: 3.5 }, { posWeight: 'balanced' }, { labelSmoothing: 0.1 }],
  focal: [
    { alpha: false, gamma: 0 },
    { alpha: null, gamma: 1.3 },
    { gamma: 0.5, labelSmoothing: 0.2 },
  ],
  asl: [
    { gammaNeg: 2, gammaPos: 0, margin: 0 },
    { gammaNeg: 1.5, gammaPos: 0.3, margin: 0.2, eps: 0 },
    { gammaNeg: 0, margin: 0.05 },
    { detachFocus: true },
  ],
};

describe('losses against PyTorch', () => {
  const golden = readGolden<LossGolden>('losses.json');
  const targets = withNaN(golden.targets);
  for (const { name, parameters: given, values, gradients } of golden.cases) {
    const { weightGradient, ...rest } = given;
    const parameters = weightGradient === undefined ? rest : { ...rest, detachFocus: !weightGradient };
    test(`${name} ${JSON.stringify(parameters)}`, async () => {
      const device = await testDevice();
      const { value, grad } = await evaluateLoss(device, { name, ...parameters }, golden.logits, targets, {
        n: targets.length / 3,
        classes: 3,
        reduction: 'sum',
      });
      const total = values.reduce((a, b) => a + b);
      expect(Math.abs(value / total - 1)).toBeLessThan(1e-5);
      for (const [i, slope] of gradients.entries()) {
        // Each by itself, down to 1e-10. Below, PyTorch's float64 has lost p(1−p) itself at |x| = 40.
        const error = Math.abs(grad[i]! - slope) / Math.max(Math.abs(slope), 1e-10);
        expect(error, `${golden.logits[i]}, ${targets[i]}: ${grad[i]} vs ${slope}`).toBeLessThan(1e-5);
        if (Number.isNaN(targets[i]!)) expect(grad[i]).toBe(0);
      }
    });
  }

  test('a negative at p = 0.01 / 0.9 costs 0 / 0.990 with ASL’s published defaults', async () => {
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

describe('every registered loss', () => {
  for (const loss of registeredLosses()) {
    for (const parameters of [{}, ...(VARIATIONS[loss.name] ?? [])]) {
      test(`${loss.name} ${JSON.stringify(parameters)}: kernel, reference and derivative agree up to ±10,000`, async () => {
        const check = await checkLoss(await testDevice(), loss, parameters);
        expect(check.valueError).toBeLessThan(1e-5);
        expect(check.slopeError).toBeLessThan(1e-5);
        if (!('detachFocus' in parameters)) expect(check.differenceError).toBeLessThan(1e-6);
      });
    }
  }

  test('checkLoss notices a wrong slope, a wrong kernel and a value that overflows', async () => {
    const device = await testDevice();
    const make = (wgsl: string, slope: (x: number) => number) =>
      defineLoss({
        name: 'wrong',
        summary: '',
        source: '',
        parameters: z.strictObject({}),
        wgsl: () => wgsl,
        reference: (_parameters, x) => ({ value: x * x, slope: slope(x) }),
        flops: 1,
      });
    const right = 'fn loss(x: f32, y: f32) -> vec2f { return vec2f(x * x, 2.0 * x); }';
    expect(
      (
        await checkLoss(
          device,
          make(right, (x) => 2 * x),
        )
      ).differenceError,
    ).toBeLessThan(1e-6);
    expect(
      (
        await checkLoss(
          device,
          make(right, (x) => x),
        )
      ).differenceError,
    ).toBeGreaterThan(0.1);
    const scaled = right.replace('2.0 * x', '2.1 * x');
    expect(
      (
        await checkLoss(
          device,
          make(scaled, (x) => 2 * x),
        )
      ).slopeError,
    ).toBeGreaterThan(0.01);
    const steep = right.replace('x * x', 'x * x + exp(x) * 1e-30');
    expect(
      (
        await checkLoss(
          device,
          make(steep, (x) => 2 * x),
        )
      ).valueError,
    ).toBe(Number.POSITIVE_INFINITY);
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
      const slopes = new Float64Array(n * classes);
      let [total, known] = [0, 0];
      for (let i = 0; i < n * classes; i++) {
        if (Number.isNaN(targets[i]!)) continue;
        const weight = sampleWeights?.[Math.floor(i / classes)] ?? 1;
        const { value, slope } = bound.reference(logits[i]!, targets[i]!);
        total += value * weight;
        known += weight;
        slopes[i] = slope * weight;
      }
      for (const [reduction, divisor] of [
        ['mean', known || 1],
        ['sum', 1],
        ['batchmean', n],
      ] as const) {
        const result = await evaluateLoss(device, { name: 'asl' }, logits, targets, {
          n,
          classes,
          reduction,
          ...(sampleWeights ? { sampleWeights } : {}),
        });
        expectClose([result.value], [total / divisor], 1e-5, reduction);
        expectClose(
          result.grad,
          slopes.map((slope) => slope / divisor),
          1e-5,
          reduction,
        );
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
  test('balanced BCE weights positives by (N − n)/n, a class without positives by N', () => {
    const bound = findLoss('bce').bind({ posWeight: 'balanced' });
    expect(bound.classConstants({ classes: 3, classCounts: [10, 50, 0], samples: 100 })).toEqual([
      [9, 1, 100],
    ]);
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
    await expect(attempt('alsl', {})).rejects.toThrow(/there are bce, focal, asl/);
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
    expect((await checkLoss(device, findLoss('test-margin'))).differenceError).toBeLessThan(1e-6);
    expect(() => registerLoss(findLoss('test-margin'))).toThrow(/registered already/);
  });
});
