import { describe, expect, test } from 'vitest';
import { preprocessingSchema } from '../../src/data/images/preprocessing.js';
import type { SafetensorsTensor } from '../../src/models/safetensors/safetensors.js';
import { averageCheckpoints, hasRunningStatistics } from '../../src/weights/average-checkpoints.js';
import { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from '../../src/weights/checkpoint.js';
import { CheckpointError } from '../../src/weights/checkpoint-error.js';
import { greedySoup } from '../../src/weights/greedy-soup.js';

function tensor(...values: number[]): SafetensorsTensor {
  return { dtype: 'F32', shape: [values.length], data: Float32Array.from(values) };
}

const first: Checkpoint = {
  model: {
    arch: 'resnet18',
    classes: 2,
    inChannels: 1,
    head: { name: 'linear' },
    stem: 'small',
    width: 4,
    dropRate: 0.1,
    dropPathRate: 0,
  },
  classes: ['Mass', 'Nodule'],
  preprocessing: preprocessingSchema.parse({ size: [16, 16] }),
  weights: 'raw',
  epoch: 3,
  step: 12,
  metrics: { mAP: 0.25, auroc: 0.5 },
  prevalence: [0.1, 0.2],
  recipe: { seed: 1 },
  tailray: '0.1.0',
  tensors: new Map([
    ['fc.weight', tensor(1, 2, -4)],
    ['bn1.running_mean', tensor(0.5)],
    ['bn1.num_batches_tracked', { dtype: 'I64', shape: [], data: BigInt64Array.of(7n) }],
  ]),
};
const second: Checkpoint = {
  ...first,
  model: { ...first.model, dropRate: 0 },
  epoch: 5,
  step: 9,
  prevalence: [0.1, 0.3],
  simulated: true,
  tensors: new Map([
    ['bn1.running_mean', tensor(2)],
    ['bn1.num_batches_tracked', { dtype: 'I64', shape: [], data: BigInt64Array.of(9n) }],
    // 3, -2 and 1 as halves
    ['fc.weight', { dtype: 'F16', shape: [3], data: Uint16Array.of(0x4200, 0xc000, 0x3c00) }],
  ]),
};

const reading = (files: Record<string, Checkpoint>) => async (path: string) => files[path]!;

describe('the mean of checkpoints', () => {
  test('has the mean of each tensor, and says whose mean it is', async () => {
    const read = reading({ '/home/x/runs/a/best.safetensors': first, b: second, c: first });
    const mean = await averageCheckpoints(['/home/x/runs/a/best.safetensors', 'b'], read);
    expect([...mean.tensors]).toEqual([
      ['fc.weight', tensor(2, 0, -1.5)],
      ['bn1.running_mean', tensor(1.25)],
      ['bn1.num_batches_tracked', first.tensors.get('bn1.num_batches_tracked')],
    ]);
    const { tensors: _, ...about } = mean;
    expect(about).toMatchObject({
      classes: first.classes,
      epoch: 5,
      step: 12,
      weights: 'average',
      simulated: true,
    });
    expect(about).toMatchObject({ prevalence: [0.1, null], metrics: { mAP: null, auroc: null } });
    expect(about.averaged).toEqual(['a/best.safetensors', 'b']);
    expect(hasRunningStatistics(mean)).toBe(true);
    expect((await decodeCheckpoint(await encodeCheckpoint(mean), 'm')).averaged).toEqual(about.averaged);
    const own = await decodeCheckpoint(await encodeCheckpoint(first), 'm');
    expect(own.averaged).toBeUndefined();
    expect(await encodeCheckpoint(own)).toEqual(await encodeCheckpoint(first));
    const three = await averageCheckpoints(['b', 'c', 'c'], read);
    expect(three.tensors.get('fc.weight')!.data[0]).toBeCloseTo(5 / 3, 6);
  });

  test.each<[string, Partial<Checkpoint>, RegExp]>([
    ['architecture', { model: { ...first.model, arch: 'resnet34' } }, /^b: has other architecture than a/],
    ['classes', { classes: ['Nodule', 'Mass'] }, /^b: has other classes \(or their order\) than a/],
    [
      'size',
      { preprocessing: preprocessingSchema.parse({ size: [32, 32] }) },
      /has other preprocessing than a/,
    ],
    [
      'shape',
      { tensors: new Map([...first.tensors, ['fc.weight', tensor(1)]]) },
      /tensor fc\.weight is \[1\] here and \[3\] in a/,
    ],
    [
      'name',
      { tensors: new Map([...first.tensors, ['x', tensor(1)]]) },
      /tensor x is \[1\] here and missing in a/,
    ],
  ])('of another %s is refused', async (_, change, message) => {
    const error = await averageCheckpoints(
      ['a', 'b'],
      reading({ a: first, b: { ...first, ...change } }),
    ).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CheckpointError);
    expect((error as CheckpointError).kind).toBe('mismatch');
    expect((error as Error).message).toMatch(message);
  });
});

test('a greedy soup takes the best first, and each further file that does no harm', async () => {
  const scores: Record<string, number> = {
    a: 0.5,
    b: 0.7,
    c: 0.6,
    d: 0.1,
    'b c': 0.65,
    'b a': 0.7,
    'b a d': 0.75,
  };
  const asked: string[] = [];
  const soup = await greedySoup(['a', 'b', 'c', 'd'], async (paths) => {
    asked.push(paths.join(' '));
    return scores[paths.join(' ')]!;
  });
  expect(soup.kept).toEqual(['b', 'a', 'd']);
  expect(soup.score).toBe(0.75);
  expect(soup.tried.map(({ path, alone, together, kept }) => [path, alone, together, kept])).toEqual([
    ['b', 0.7, 0.7, true],
    ['c', 0.6, 0.65, false],
    ['a', 0.5, 0.7, true],
    ['d', 0.1, 0.75, true],
  ]);
  expect(asked).toEqual(['a', 'b', 'c', 'd', 'b c', 'b a', 'b a d']);
  await expect(greedySoup(['a'], async () => Number.NaN)).rejects.toThrow(/a: no score/);
});
