import { expect, test } from 'vitest';
import { formatPlan } from '../../src/train/plan-table.js';

const row = {
  label: 'layer1.conv1.conv2d',
  op: 'conv2d',
  shape: '[8,32,32,16] [3,3,16,16] → [8,32,32,16]',
  variant: 'lanes',
  by: 'rule' as const,
  dispatches: 2,
  flops: 37_748_736,
  bytes: 1_057_792,
};

test('a line an op and their sums', () => {
  const lines = formatPlan([row, { ...row, label: 'x'.repeat(80), flops: 12 }]).split('\n');
  expect(lines[0]).toMatch(/^op +shapes +variant +bytes +FLOPs$/);
  expect(lines[1]).toMatch(/^layer1\.conv1\.conv2d +\[8,32,32,16\] .* lanes +1\.1 M +37\.7 M$/);
  expect(lines[2]).toMatch(/^x{27}…x{27} .* 12$/);
  expect(lines[3]).toBe('2 ops, 4 dispatches, 2.1 MB moved, 37.7 MFLOP');
});

test('with times, their share of work', () => {
  const [heading, line, sums] = formatPlan([{ ...row, ms: 2, gflops: 18.87, gbps: 0.53 }]).split('\n');
  expect(heading).toMatch(/ms +GFLOP\/s +GB\/s$/);
  expect(line).toMatch(/2\.000 +18\.9 +0\.5$/);
  expect(sums).toMatch(/2\.0 ms, 18\.9 GFLOP\/s$/);
});
