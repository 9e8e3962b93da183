import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { checkLoss } from '../../src/losses/check-loss.js';
import { defineLoss } from '../../src/losses/define/define-loss.js';
import { registeredLosses } from '../../src/losses/registry.js';
import { testDevice } from '../device.js';
import { entryLoss } from './entry-loss.js';

/** Beside the defaults, what changes a loss's formula. */
const VARIATIONS: Record<string, Record<string, unknown>[]> = {
  bce: [{ posWeight: 3.5 }, { posWeight: [1, 2, 3, 4], labelSmoothing: 0.1 }],
  'weighted-bce': [{ form: 'exponential' }],
  focal: [
    { alpha: false, gamma: 0 },
    { alpha: null, gamma: 1.3 },
    { gamma: 0.5, labelSmoothing: 0.2 },
  ],
  'cb-focal': [{ gamma: 0.5, beta: 0 }],
  asl: [
    { gammaNeg: 2, gammaPos: 0, margin: 0 },
    { gammaNeg: 1.5, gammaPos: 0.3, margin: 0.2, eps: 0 },
    { gammaNeg: 0, margin: 0.05 },
    { detachFocus: true },
  ],
  db: [{ mu: 0.3, lambda: 5, gamma: 1.5, labelSmoothing: 0.1 }],
  'ldam-drw': [{ reweightFrom: 0, beta: 0.99 }],
  hill: [{ lambda: 1.2, margin: 0, gamma: 0.5 }],
  splc: [{ changeEpoch: 0, tau: 0.3, gamma: 1 }],
  ral: [{ gammaNeg: 1.5, gammaPos: 0.5, margin: 0.2, eps: 0 }],
};

/** A frequent class, a rare one, one without positives, one without negatives. */
const STATISTICS = { classes: 4, classCounts: [300, 30, 0, 1000], samples: 1000 };

describe('every registered loss of single entries', () => {
  for (const loss of registeredLosses().filter((each) => each.bind({}).kind === 'entries')) {
    for (const parameters of [{}, ...(VARIATIONS[loss.name] ?? [])]) {
      test(`${loss.name} ${JSON.stringify(parameters)}: kernel, reference and derivative agree up to ±10,000`, async () => {
        const check = await checkLoss(await testDevice(), entryLoss(loss, parameters), STATISTICS);
        expect(check.value.error, JSON.stringify(check.value)).toBeLessThan(1e-5);
        expect(check.slope.error, JSON.stringify(check.slope)).toBeLessThan(1e-5);
        expect(check.difference === null).toBe('detachFocus' in parameters);
        expect(check.difference?.error ?? 0, JSON.stringify(check.difference)).toBeLessThan(1e-5);
      });
    }
  }
});

describe('checkLoss notices', () => {
  const right = 'fn loss(x: f32, y: f32) -> vec2f { return vec2f(x * x, 2.0 * x); }';
  const check = async (wgsl: string, slope = (x: number, _y: number) => 2 * x) => {
    const loss = defineLoss({
      name: 'square',
      summary: '',
      source: '',
      parameters: z.strictObject({}),
      wgsl: () => wgsl,
      reference: (_parameters, x, y) => ({ value: x * x, slope: slope(x, y) }),
      flops: 1,
    });
    return checkLoss(await testDevice(), entryLoss(loss), { classes: 2 });
  };

  test('nothing where all is right', async () => {
    const { value, slope, difference } = await check(right);
    expect(Math.max(value.error, slope.error, difference!.error)).toBeLessThan(1e-5);
  });

  test('a slope that is not the derivative, in the reference, and where', async () => {
    const { difference } = await check(right, (x, y) => (y === 1 ? -2 * x : 2 * x));
    expect(difference).toMatchObject({ y: 1 });
    expect(difference!.error).toBeGreaterThan(1);
    expect(difference!.expected).toBeCloseTo(2 * difference!.x, 3);
    expect(difference!.got).toBeCloseTo(-2 * difference!.x, 3);
  });

  test('a kernel with another slope, or another value', async () => {
    expect((await check(right.replace('2.0 * x', '2.1 * x'))).slope.error).toBeGreaterThan(0.01);
    const { value } = await check(right.replace('x * x', '1.1 * x * x'));
    expect(value.error).toBeGreaterThan(0.05);
    expect(value.got).toBeCloseTo(1.1 * value.x * value.x, 0);
  });

  test('a value that overflows', async () => {
    const { value } = await check(right.replace('x * x', 'x * x + exp(x) * 1e-30'));
    expect(value.error).toBe(Number.POSITIVE_INFINITY);
  });

  test('not the kink of a hinge', async () => {
    const hinge = defineLoss({
      name: 'hinge',
      summary: '',
      source: '',
      parameters: z.strictObject({}),
      // a kink at −6.01 in f32, which is in the grid
      wgsl: () =>
        'fn loss(x: f32, y: f32) -> vec2f { let d = x + 6.01; return select(vec2f(0.0), vec2f(d, 1.0), d > 0.0); }',
      reference: (_parameters, x) => {
        const d = x + Math.fround(6.01);
        return d > 0 ? { value: d, slope: 1 } : { value: 0, slope: 0 };
      },
      flops: 1,
    });
    const { difference } = await checkLoss(await testDevice(), entryLoss(hinge), { classes: 1 });
    expect(difference!.error).toBeLessThan(1e-5);
  });
});
