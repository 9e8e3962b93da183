import { describe, expect, test } from 'vitest';
import { BenchError } from '../../bench/bench-error.js';
import { fullName, selectPeers, selectWorkloads } from '../../bench/selection.js';
import { WORKLOADS } from '../../bench/workloads/all.js';

const names = (wanted: string[]) => selectWorkloads(WORKLOADS, wanted).map(fullName);

describe('--work', () => {
  test('takes all workloads, each with a name of its own, when nothing is wanted', () => {
    const all = names([]);
    expect(all).toHaveLength(WORKLOADS.length);
    expect(new Set(all).size).toBe(all.length);
  });

  test('takes parts of names, and of directions after a slash', () => {
    expect(names(['matmul-1024'])).toEqual(['matmul-1024/forward']);
    expect(names(['DEPTHWISE/dw'])).toEqual(['depthwise7x7-8x32x32x64/dW', 'depthwise7x7-4x28x28x96/dW']);
    expect(names(['matmul-512', 'matmul'])).toHaveLength(4);
    expect(names(['adamw', 'matmul-512'])).toEqual(['adamw-25M/step', 'matmul-512/forward']);
  });

  test('says which part fits nothing, and what there is', () => {
    expect(() => names(['matmul', 'conv9x9'])).toThrow(BenchError);
    expect(() => names(['conv9x9'])).toThrow(/"conv9x9".*matmul-512/);
  });
});

describe('--against', () => {
  test('takes parts of names in the order of the table, or none', () => {
    expect(selectPeers([])).toHaveLength(7);
    expect(selectPeers(['jax', 'tfjs'])).toEqual(['tfjs-webgpu', 'jax-js']);
    expect(selectPeers(['none'])).toEqual([]);
    expect(() => selectPeers(['mxnet'])).toThrow(/"mxnet".*tfjs-webgpu/);
  });
});
