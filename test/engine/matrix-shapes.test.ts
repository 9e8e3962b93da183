import { describe, expect, test } from 'vitest';
import { MATRIX_FEATURES, matrixShapes } from '../../src/engine/matrix-shapes.js';
import { describeAdapter } from '../../src/platform/node/adapter-report.js';
import { adapterTable } from '../../src/platform/node/adapter-table.js';

const config = (M: number, N: number, K: number, componentType: string, resultComponentType: string) => ({
  M,
  N,
  K,
  componentType,
  resultComponentType,
});
/** As Mesa's driver for an RDNA 3 says them, and one more size. */
const AMD = {
  subgroupMinSize: 32,
  subgroupMaxSize: 64,
  subgroupMatrixConfigs: [
    config(16, 8, 16, 'f16', 'f32'),
    config(16, 16, 16, 'f16', 'f32'),
    config(16, 16, 16, 'u8', 'u32'),
  ],
};
const ALL = new Set<string>(['subgroups', 'shader-f16', ...MATRIX_FEATURES]);
const without = (name: string) => new Set([...ALL].filter((other) => other !== name));

describe('matrixShapes', () => {
  test('those of floats, the largest first', () => {
    const f16 = { operands: 'f16', sums: 'f32', subgroups: [32, 64] };
    expect(matrixShapes(ALL, AMD)).toEqual([
      { ...f16, m: 16, n: 16, k: 16 },
      { ...f16, m: 16, n: 8, k: 16 },
    ]);
  });

  test('none without the feature, without f16, or where the size of subgroups cannot be relied on', () => {
    for (const name of [
      'chromium-experimental-subgroup-matrix',
      'shader-f16',
      'subgroups',
      'subgroup-size-control',
    ]) {
      expect(matrixShapes(without(name), AMD), name).toEqual([]);
    }
    const fixed = { ...AMD, subgroupMaxSize: 32 };
    expect(matrixShapes(without('subgroup-size-control'), fixed)).toHaveLength(2);
    expect(matrixShapes(ALL, {})).toEqual([]);
  });
});

test('the table of adapters names them', () => {
  const words = {
    vendor: 'amd',
    architecture: 'rdna-3',
    device: 'radeon',
    description: 'Radeon',
    isFallbackAdapter: false,
  };
  const report = describeAdapter({ info: { ...words, ...AMD }, features: ALL, limits: {} }, 'Vulkan');
  expect(adapterTable([report], '')).toContain('matrices   16×16×16 of f16, 16×8×16 of f16');
});
