import { expect, test } from 'vitest';
import { ShapeError } from '../../../src/engine/errors.js';
import { Graph } from '../../../src/engine/graph/tensor.js';
import { scaledDotProductAttention } from '../../../src/kernels/product/attention.js';
import { checkOp } from '../check-op.js';

/** In float64, straight from the definition. q [b, l, e], k [b, s, e], v [b, s, d] */
function reference(b: number, l: number, s: number, e: number, d: number, scale: number) {
  return ([q, k, v]: Float64Array[]): Float64Array => {
    const y = new Float64Array(b * l * d);
    for (let row = 0; row < b * l; row++) {
      const number = Math.floor(row / l);
      const scores = Array.from({ length: s }, (_, j) => {
        let total = 0;
        for (let i = 0; i < e; i++) total += q![row * e + i]! * k![(number * s + j) * e + i]!;
        return total * scale;
      });
      const peak = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - peak));
      const total = weights.reduce((sum, weight) => sum + weight);
      for (let j = 0; j < s; j++) {
        for (let i = 0; i < d; i++) y[row * d + i]! += (weights[j]! / total) * v![(number * s + j) * d + i]!;
      }
    }
    return y;
  };
}

test('attention of several heads, and its gradients', () =>
  checkOp({
    shapes: [
      [2, 3, 8, 16],
      [2, 3, 36, 16],
      [2, 3, 36, 20],
    ],
    build: ([q, k, v]) => scaledDotProductAttention(q!, k!, v!),
    reference: reference(6, 8, 36, 16, 20, 1 / 4),
    preferences: [{}],
  }));

test('odd sizes and another scale', () =>
  checkOp({
    shapes: [
      [3, 5, 7],
      [3, 9, 7],
      [3, 9, 3],
    ],
    build: ([q, k, v]) => scaledDotProductAttention(q!, k!, v!, { scale: 0.3 }),
    reference: reference(3, 5, 9, 7, 3, 0.3),
    preferences: [{ bmm: 'direct' }],
  }));

test('operands that do not fit are refused with their shapes', () => {
  const graph = new Graph();
  const [q, k, v] = [
    [2, 5, 7],
    [2, 9, 7],
    [2, 8, 3],
  ].map((shape, i) => graph.input(`x${i}`, shape));
  expect(() => scaledDotProductAttention(q!, k!, v!)).toThrow(ShapeError);
  expect(() => scaledDotProductAttention(q!, k!, v!)).toThrow('[2, 5, 7] f32, [2, 9, 7] f32, [2, 8, 3] f32');
});
