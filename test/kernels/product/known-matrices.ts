import type { MatrixShape } from '../../../src/engine/graph/tensor.js';

const HALF = { operands: 'f16', sums: 'f32' } as const;

/** The small matrices that GPUs are known to offer, with their subgroups. */
export const MATRICES = {
  AMD: { ...HALF, m: 16, n: 16, k: 16, subgroups: [32, 64] },
  Apple: { ...HALF, m: 8, n: 8, k: 8, subgroups: [32, 32] },
  'Intel with subgroups of 8': { ...HALF, m: 8, n: 8, k: 16, subgroups: [8, 32] },
  'Intel with subgroups of 16': { ...HALF, m: 8, n: 16, k: 16, subgroups: [16, 32] },
  NVIDIA: { ...HALF, m: 16, n: 8, k: 16, subgroups: [32, 32] },
} as const satisfies Record<string, MatrixShape>;

export const APPLE_F32: MatrixShape = { m: 8, n: 8, k: 8, operands: 'f32', sums: 'f32', subgroups: [32, 32] };
