import { describe, expect, test } from 'vitest';
import type { SafetensorsTensor } from '../../../src/models/safetensors/safetensors.js';
import { fromTorchvision } from '../../../src/models/weights/torchvision-names.js';
import { CONVNEXT_GOLDENS } from '../../golden/convnext-golden.js';

const tensor = (...shape: number[]): SafetensorsTensor => ({
  dtype: 'F32',
  shape,
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
});

describe('torchvision’s names', () => {
  test.each(CONVNEXT_GOLDENS.filter(({ torchvision }) => torchvision))(
    '$arch: every name becomes timm’s, with timm’s shape',
    ({ torchvision, shapes }) => {
      const file = Object.entries(torchvision!).map(([theirs, ours]) => {
        const shape = shapes[ours]!;
        // Of the right rank is enough: values are passed on.
        const sizes = theirs.endsWith('layer_scale') ? [...shape, 1, 1] : shape;
        return [theirs, { ...tensor(1), shape: sizes } as SafetensorsTensor] as const;
      });
      const renamed = [...fromTorchvision(new Map(file))].map(([name, { shape }]) => [name, shape]);
      expect(Object.fromEntries(renamed)).toEqual(shapes);
    },
  );

  test('DenseNets of before PyTorch 0.4 have a dot too many', () => {
    const layer = 'features.denseblock1.denselayer12';
    const names = [
      `${layer}.norm.1.weight`,
      `${layer}.conv.2.weight`,
      'features.norm5.bias',
      'classifier.bias',
    ];
    const renamed = fromTorchvision(new Map(names.map((name) => [name, tensor(1)])));
    expect([...renamed.keys()]).toEqual([
      `${layer}.norm1.weight`,
      `${layer}.conv2.weight`,
      'features.norm5.bias',
      'classifier.bias',
    ]);
  });

  test('other files stay as they are', () => {
    const file = new Map([
      ['stages.0.blocks.0.gamma', tensor(4)],
      ['features.0.weight', tensor(2, 2)],
    ]);
    expect(fromTorchvision(file)).toBe(file);
  });

  test('a name that is none of torchvision’s is kept, to be reported', () => {
    const file = new Map([
      ['features.1.0.layer_scale', tensor(4, 1, 1)],
      ['features.1.0.block.1.weight', tensor(4)],
      ['classifier.1.weight', tensor(4)],
      ['auxiliary.weight', tensor(4)],
    ]);
    expect([...fromTorchvision(file).keys()]).toEqual([
      'stages.0.blocks.0.gamma',
      'features.1.0.block.1.weight',
      'classifier.1.weight',
      'auxiliary.weight',
    ]);
  });
});
