import { expect, test } from 'vitest';
import { LoggedSteps } from '../../src/dashboard/logged-steps.js';

const line = (step: number, loss: number | null = 1) =>
  ({ kind: 'step', step, epoch: 1, loss, gradientNorm: 1, learningRate: 0.1 }) as const;

test('keeps all of a short run, and evenly spaced ones of a long one', () => {
  const short = new LoggedSteps();
  for (let step = 1; step <= 2000; step++) short.add(line(step));
  expect([short.lines.length, short.every]).toEqual([2000, 1]);
  const long = new LoggedSteps();
  for (let step = 1; step <= 1_000_000; step++) long.add(line(step, step === 777 ? null : 1));
  expect(long.lines.length).toBeLessThanOrEqual(2000);
  expect(long.lines.length).toBeGreaterThan(900);
  const steps = long.lines.filter(({ loss }) => loss !== null).map(({ step }) => step);
  const gaps = new Set(steps.slice(1).map((step, i) => step - (steps[i] ?? 0)));
  expect([...gaps]).toEqual([long.every]);
  // a step that was not finite stays
  expect(long.lines.filter(({ loss }) => loss === null).map(({ step }) => step)).toEqual([777]);
});
