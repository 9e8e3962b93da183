import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { emaDecay, type Schedule, scheduleFactor } from '../../../src/train/step/schedule.js';

const schedules = fc.record({
  kind: fc.constantFrom('cosine' as const, 'clipped-cosine' as const, 'constant' as const),
  totalSteps: fc.integer({ min: 1, max: 2000 }),
  warmupSteps: fc.integer({ min: 0, max: 500 }),
  floor: fc.double({ min: 0, max: 1, noNaN: true }),
});

describe('learning rate', () => {
  const schedule: Schedule = { kind: 'cosine', totalSteps: 110, warmupSteps: 10, floor: 0.01 };

  test('warm-up climbs by equal steps to the full rate', () => {
    const climb = Array.from({ length: 10 }, (_, step) => scheduleFactor(schedule, step));
    for (const [step, factor] of climb.entries()) expect(factor).toBeCloseTo((step + 1) / 10, 12);
    expect(scheduleFactor(schedule, 10)).toBe(1);
  });

  // PyTorch: CosineAnnealingLR(SGD(lr=1), T_max=100, eta_min=0.01), at 25, 50, 75, 99 steps
  test.each([
    [25, 0.855017856687341],
    [50, 0.505],
    [75, 0.154982143312659],
    [99, 0.010244252618962857],
  ])('cosine %i steps after the warm-up is PyTorch’s', (step, expected) => {
    expect(scheduleFactor(schedule, 10 + step)).toBeCloseTo(expected, 12);
  });

  test('halfway down it is the mean of top and floor, and past the end the floor', () => {
    expect(scheduleFactor(schedule, 60)).toBeCloseTo((1 + 0.01) / 2, 12);
    expect(scheduleFactor(schedule, 110)).toBeCloseTo(0.01, 12);
    expect(scheduleFactor(schedule, 5000)).toBeCloseTo(0.01, 12);
  });

  test('constant stays at the full rate after the warm-up', () => {
    const constant: Schedule = { ...schedule, kind: 'constant' };
    expect(scheduleFactor(constant, 4)).toBeCloseTo(0.5, 12);
    expect([10, 60, 109].map((step) => scheduleFactor(constant, step))).toEqual([1, 1, 1]);
  });

  // the factors of arXiv 2602.13430's fine-tuning, 60 epochs: (e + 1) / 5, then max(0.01, half a cosine over 55 epochs)
  test.each([
    [0, 0.2],
    [4, 1],
    [5, 1],
    [6, 0.999184552],
    [32, 0.514278025],
    [56, 0.012994042],
    [57, 0.01],
    [59, 0.01],
  ])('by epoch, as a clipped cosine: epoch %i of 60', (epoch, expected) => {
    const every = 7;
    const paper = {
      kind: 'clipped-cosine',
      totalSteps: 60 * every,
      warmupSteps: 5 * every,
      floor: 0.01,
      every,
    } as const;
    for (const step of [0, 3, 6]) {
      expect(scheduleFactor(paper, epoch * every + step)).toBeCloseTo(expected, 8);
    }
  });

  test('never leaves (0, 1], never falls below the floor after the warm-up, never rises after it', () => {
    fc.assert(
      fc.property(schedules, fc.nat(2500), (any, step) => {
        const factor = scheduleFactor(any, step);
        expect(factor).toBeGreaterThanOrEqual(0);
        expect(factor).toBeLessThanOrEqual(1);
        if (step < any.warmupSteps) {
          expect(factor).toBeGreaterThan(step === 0 ? 0 : scheduleFactor(any, step - 1));
        } else {
          expect(factor).toBeGreaterThanOrEqual(any.floor - 1e-12);
          expect(scheduleFactor(any, step + 1)).toBeLessThanOrEqual(factor + 1e-12);
        }
      }),
    );
  });
});

describe('decay of the moving average', () => {
  test('warm-up starts by copying and ends at the decay', () => {
    const ema = { decay: 0.99, warmup: true };
    expect(emaDecay(ema, 0)).toBe(0);
    expect(emaDecay(ema, 7)).toBeCloseTo(0.75, 12); // 1 − 8^(−2/3)
    expect(emaDecay(ema, 998)).toBeCloseTo(0.98999, 4);
    expect(emaDecay(ema, 1e6)).toBe(0.99);
  });

  test('without warm-up it is the decay from the start', () => {
    expect(emaDecay({ decay: 0.9999, warmup: false }, 0)).toBe(0.9999);
  });
});
