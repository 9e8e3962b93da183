import { describe, expect, test } from 'vitest';
import { defineModel } from '../../../src/models/model.js';
import { fitWeights } from '../../../src/models/weights/fit-weights.js';
import { resamplePositions } from '../../../src/models/weights/positions.js';
import { relativeError } from '../../golden/digest.js';
import { hashTensor } from '../../golden/hash-weights.js';
import { POSITIONS_GOLDENS } from '../../golden/vit-golden.js';
import { f32, stateDict } from '../named-tensors.js';

test.each(POSITIONS_GOLDENS)('$shape resized to $grid as PyTorch does', ({ name, shape, grid, expected }) => {
  const embedding = { dtype: 'F32', shape, data: hashTensor(name, shape) } as const;
  const { tensor } = resamplePositions(embedding, grid)!;
  expect(tensor.shape).toEqual([1, grid.prefix + grid.rows * grid.columns, shape[2]]);
  expect(relativeError(tensor.data as Float32Array, expected)).toBeLessThan(1e-6);
});

describe('weights of a vision transformer for images of another size', () => {
  const config = { arch: 'vit_tiny_patch16_224', classes: 2, width: 12 };
  const keep = { head: 'keep', seed: 0 } as const;
  const square = stateDict(defineModel({ ...config, imageSize: [64, 64] }));

  test('are taken with resized positions, and that is noted', () => {
    const wide = defineModel({ ...config, imageSize: [32, 96] });
    const { notes, parameters } = fitWeights(wide, square, keep);
    expect(notes).toEqual(['pos_embed of 4 × 4 patches is resized to 2 × 6.']);
    expect(parameters.get('pos_embed')).toHaveLength((1 + 12) * 12);
    expect(parameters.get('cls_token')).toEqual(square.get('cls_token')!.data);
  });

  test('are refused where the positions are no square', () => {
    const odd = new Map(square).set('pos_embed', f32([1, 12, 12], new Array(144).fill(0)));
    const wide = defineModel({ ...config, imageSize: [32, 96] });
    expect(() => fitWeights(wide, odd, keep)).toThrow('pos_embed');
  });
});
