import { describe, test } from 'vitest';
import { conv2d } from '../../../src/kernels/conv/conv.js';
import { type ConvOptions, convGeometry } from '../../../src/kernels/conv/conv-geometry.js';
import { checkOp } from '../check-op.js';
import { convReference } from './conv-reference.js';

interface Case extends ConvOptions {
  readonly x: readonly [number, number, number, number];
  readonly w: readonly [number, number, number, number];
  readonly groups: number;
}

function check({ x, w, ...options }: Case): Promise<void> {
  return checkOp({
    shapes: [x, w],
    build: ([image, weights]) => conv2d(image!, weights!, options),
    reference: convReference(convGeometry(x, w, options)),
  });
}

describe('grouped convolution and its gradients', () => {
  const named: Record<string, Case> = {
    'groups of 16, as in the third stage of ResNeXt-50': {
      x: [2, 7, 5, 48],
      w: [3, 3, 16, 48],
      padding: 1,
      groups: 3,
    },
    'groups of 16, stride 2': { x: [2, 9, 6, 32], w: [3, 3, 16, 32], padding: 1, stride: 2, groups: 2 },
    'groups of 32': { x: [1, 5, 6, 64], w: [3, 3, 32, 64], padding: 1, groups: 2 },
    'groups of 16 into 32': { x: [2, 5, 4, 32], w: [3, 3, 16, 64], padding: 1, groups: 2 },
    'groups of 64, dilated': { x: [1, 6, 7, 128], w: [3, 2, 64, 128], padding: 2, dilation: 2, groups: 2 },
    '1×1 in groups': { x: [3, 4, 3, 32], w: [1, 1, 16, 32], groups: 2 },
    'groups of 4, as in the first stage of ResNeXt-50': {
      x: [2, 9, 7, 24],
      w: [3, 3, 4, 24],
      padding: 1,
      groups: 6,
    },
    'groups of 4, stride 2': { x: [3, 10, 9, 16], w: [3, 3, 4, 16], padding: 1, stride: 2, groups: 4 },
    'groups of 8': { x: [2, 6, 10, 24], w: [3, 3, 8, 24], padding: 1, groups: 3 },
    'groups of 8, stride 2 without padding': { x: [2, 8, 9, 16], w: [3, 3, 8, 16], stride: 2, groups: 2 },
    'groups of 24 fill no whole tile': { x: [1, 5, 6, 48], w: [3, 3, 24, 48], padding: 1, groups: 2 },
    'groups of 8, dilated, seven taps a side': {
      x: [1, 9, 8, 16],
      w: [7, 7, 8, 16],
      padding: 6,
      dilation: 2,
      groups: 2,
    },
    'two outputs for each input': { x: [2, 5, 6, 6], w: [3, 3, 1, 12], padding: 1, groups: 6 },
    'groups of 6 share texels': { x: [2, 5, 4, 12], w: [3, 3, 6, 12], padding: 1, groups: 2 },
    'groups of 4 into 8': { x: [2, 5, 6, 8], w: [3, 3, 4, 16], padding: 1, groups: 2 },
  };
  for (const [name, geometry] of Object.entries(named)) {
    test(name, () => check(geometry));
  }
});
