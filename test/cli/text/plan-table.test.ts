import { describe, expect, test } from 'vitest';
import { formatExplanation } from '../../../src/cli/text/plan-table.js';
import type { PlanRow } from '../../../src/engine/run/build.js';
import type { OpTime } from '../../../src/engine/run/profile.js';
import type { StepExplanation } from '../../../src/train/step/explained-step.js';

const conv = (layer: number): OpTime => ({
  label: `layer${layer}.conv1.conv2d`,
  op: 'conv2d',
  shape: '[8,32,32,16] [3,3,16,16] → [8,32,32,16]',
  variant: 'lanes',
  by: 'tuned',
  dispatches: 2,
  flops: 40e6,
  bytes: 1e6,
  ms: 2,
  gflops: 20,
  gbps: 0.5,
});

const relu: OpTime = {
  ...conv(1),
  label: 'pointwise',
  op: 'pointwise',
  shape: `[8,32,32,16] → ${'[8,32,32,16] '.repeat(4)}`,
  variant: 'vec4',
  by: 'only',
  dispatches: 1,
  flops: 0,
  bytes: 2e6,
  ms: 1,
};

const tiny: OpTime = { ...relu, shape: '[1] → [1]', variant: 'scalar', ms: 0.1 };

const explanation: StepExplanation = {
  ops: [relu, conv(1), tiny, conv(2)],
  profiledRuns: 5,
  step: {
    steps: 20,
    stepMs: 6.375,
    batchMs: 1,
    deviceMs: 3,
    uploadMs: 0.25,
    recordMs: 0.5,
    submitMs: 0.125,
    scalarsMs: 1.5,
  },
  bytes: { arenas: 2 ** 20, leaves: 2 ** 21, intermediates: 3 * 2 ** 20, textures: 0, total: 6 * 2 ** 20 },
  roofline: {
    gflops: 100,
    gflopsF16: undefined,
    gbps: 10,
    dispatchMs: 0.028,
    submitMs: 0.05,
    residentGroups: 2,
    clock: 'timestamps',
    probes: [],
  },
};

describe('the slowest ops', () => {
  const [heading, first, second, rest, empty, ...footer] = formatExplanation(explanation).split('\n');

  test('have equal ones in one row, with times, rates and their share of the roof', () => {
    expect(heading).toMatch(/^op +where +shapes +kernel +bytes +FLOPs +ms +share +GFLOP\/s +GB\/s +of roof$/);
    // 80 MFLOP at 100 GFLOP/s take 0.8 ms at least, of 4 ms
    expect(first).toMatch(
      /^conv2d ×2 +layer1\.conv1, … +\[8,32,32,16\] .* lanes \(tuned\) +2\.0 M +80\.0 M +4\.00 +78 % +20\.0 +0\.5 +20 %$/,
    );
    // 2 MB at 10 GB/s take 0.2 ms at least, of 1 ms; a long list of shapes is cut in its middle
    expect(second).toMatch(/^pointwise +\[8,.*….*\] +vec4 +2\.0 M +0 +1\.00 +20 % +0\.0 +2\.0 +20 %$/);
  });

  test('leave a rest, which is summed up', () => {
    expect(rest).toBe('1 other op: 0.10 ms, 2.0 %');
    expect(empty).toBe('');
  });

  test('are followed by the sums, where the step goes, the memory and the roof', () => {
    expect(footer.join('\n')).toBe(
      `all        4 ops, 6 dispatches, 80.0 MFLOP, 6.0 MB: 5.1 ms (median of 5 runs), 15.7 GFLOP/s, 1.2 GB/s, 24 % of the roof
step       6.4 ms (mean of 20), kernels for 80 % of it
host       0.63 ms fixed (record 0.50, submit 0.13), upload 0.25, waits: device 3.0, next batch 1.0, losses 1.5
memory     6 MiB at the peak: 1 MiB weights and state, 3 MiB intermediates, 0 B textures, 2 MiB inputs and constants
roof       100 GFLOP/s, 10.0 GB/s, 28 µs a dispatch, 50 µs a submit, 2 workgroups at once, measured now
`,
    );
  });
});

test('all ops stand in their order, one by one', () => {
  const lines = formatExplanation(explanation, 'all').split('\n');
  expect(lines.slice(1, 5).map((line) => line.split(/ {2,}/)[0])).toEqual([
    'pointwise',
    'conv2d',
    'pointwise',
    'conv2d',
  ]);
});

test('without times, the ops that need the most at least come first', () => {
  const ops = explanation.ops.map((op): PlanRow => {
    const { label, op: name, shape, variant, by, dispatches, flops, bytes } = op;
    return { label, op: name, shape, variant, by, dispatches, flops, bytes };
  });
  const [heading, first, ...lines] = formatExplanation({
    ...explanation,
    ops,
    profiledRuns: 0,
    step: null,
  }).split('\n');
  expect(heading).toMatch(/FLOPs$/);
  expect(first).toMatch(/^conv2d ×2 .* 80\.0 M$/);
  expect(lines.filter((line) => /^(step|host)/.test(line))).toEqual([]);
  expect(lines.find((line) => line.startsWith('all'))).toMatch(/6\.0 MB$/);
});
