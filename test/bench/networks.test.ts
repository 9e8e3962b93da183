import { describe, expect, test } from 'vitest';
import { HALF_TOLERANCE, largestDifference, TOLERANCE } from '../../bench/agreement.js';
import { type Trace, tracedEntrant, tracedHalfEntrant } from '../../bench/contenders/tailray.js';
import { forwardPass } from '../../bench/networks/forward-pass.js';
import { trainingStep } from '../../bench/networks/training-step.js';
import { SCALING, WORKLOADS } from '../../bench/workloads/all.js';
import { at } from '../../src/engine/graph/tensor.js';
import { matmul } from '../../src/kernels/conv/conv.js';
import { testDevice } from '../device.js';

const SMALL = { batch: 2, image: 32, classes: 5, stem: 'whatever it is' };
const halves = (await testDevice()).traits.f16;

test('every network says its stem, its pictures and, in training, its loss and optimizer', () => {
  const networks = [...WORKLOADS, ...SCALING].filter(({ name }) => /px-batch/.test(name));
  expect(networks.length).toBeGreaterThan(10);
  for (const { direction, settings = '' } of networks) {
    expect(settings).toMatch(/stem .*pixels, RGB, batch \d+/);
    if (direction === 'step') expect(settings).toMatch(/cross-entropy.* over \d+ classes.*AdamW \(rate/);
  }
});

describe('a network', () => {
  test('gives the same logits in mixed precision, but for its rounding', async () => {
    const host = { version: '', device: await testDevice() };
    const { entries } = forwardPass({ ...SMALL, arch: 'resnet10' });
    const full = await entries.tailray(host);
    const [expected] = await full.results();
    expect(expected).toHaveLength(2 * 5);
    await full.dispose();
    if (!halves) return;
    const half = await entries['tailray-f16']!(host);
    const apart = largestDifference([expected!], await half.results());
    expect(apart).toBeGreaterThan(0);
    expect(apart).toBeLessThan(HALF_TOLERANCE);
    expect(half.costs!.length).toBeGreaterThan(10);
    await half.dispose();
  });

  test('trains by cross-entropy, and tells the losses of three steps', async () => {
    const host = { version: '', device: await testDevice() };
    const { entries } = trainingStep({ ...SMALL, arch: 'resnet10', loss: 'cross-entropy' });
    const entrant = await entries.tailray(host);
    await entrant.round(1);
    const losses = (await entrant.results()).map(([loss]) => loss!);
    await entrant.dispose();
    expect(losses).toHaveLength(3);
    expect(Math.abs(losses[0]! - Math.log(5))).toBeLessThan(1);
    expect(losses[2]).toBeLessThan(losses[0]!);
  });
});

test.skipIf(!halves)('a single op in mixed precision reads operands that were rounded', async () => {
  const host = { version: '', device: await testDevice() };
  const operands = [{ shape: [64, 64] }, { shape: [64, 64] }];
  const product: Trace = (x) => [matmul(at(x, 0), at(x, 1))];
  const [full, half] = [
    await tracedEntrant(host, operands, product),
    await tracedHalfEntrant(host, operands, product),
  ];
  await half.round(1);
  const apart = largestDifference(await full.results(), await half.results());
  expect(apart).toBeGreaterThan(TOLERANCE / 100);
  expect(apart).toBeLessThan(HALF_TOLERANCE);
  full.dispose();
  half.dispose();
});
