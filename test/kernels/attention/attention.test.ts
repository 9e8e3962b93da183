import { describe, expect, test } from 'vitest';
import { ShapeError } from '../../../src/engine/errors.js';
import { Graph, type Tensor } from '../../../src/engine/graph/tensor.js';
import { attention, selfAttention } from '../../../src/kernels/attention/attention.js';
import { testDevice } from '../../device.js';
import { checkOp, type OpCheck } from '../check-op.js';

interface Case {
  readonly n: number;
  readonly queries: number;
  readonly keys: number;
  readonly heads: number;
  readonly width: number;
  readonly scale?: number;
  readonly causal?: boolean;
  readonly lengths?: readonly number[];
}

/** In float64, straight from the definition. Tokens are [n, l, heads · width], each with its own stride and offset. */
function reference(
  { n, queries, keys, heads, width, scale = 1 / Math.sqrt(width), causal, lengths }: Case,
  place: (
    operand: 'q' | 'k' | 'v',
    inputs: Float64Array[],
  ) => { values: Float64Array; stride: number; offset: number },
) {
  return (inputs: Float64Array[]): Float64Array => {
    const [q, k, v] = (['q', 'k', 'v'] as const).map((name) => place(name, inputs));
    const y = new Float64Array(n * queries * heads * width);
    for (let image = 0; image < n; image++) {
      for (let head = 0; head < heads; head++) {
        for (let i = 0; i < queries; i++) {
          const limit = Math.min(lengths?.[image] ?? keys, causal ? i + 1 : keys);
          const at = (x: typeof q, token: number, e: number) =>
            x!.values[token * x!.stride + x!.offset + head * width + e]!;
          const scores = Array.from({ length: limit }, (_, j) => {
            let total = 0;
            for (let e = 0; e < width; e++)
              total += at(q, image * queries + i, e) * at(k, image * keys + j, e);
            return total * scale;
          });
          const peak = Math.max(...scores);
          const weights = scores.map((score) => Math.exp(score - peak));
          const total = weights.reduce((sum, weight) => sum + weight, 0);
          for (let j = 0; j < limit; j++) {
            for (let e = 0; e < width; e++) {
              y[((image * queries + i) * heads + head) * width + e]! +=
                (weights[j]! / total) * at(v, image * keys + j, e);
            }
          }
        }
      }
    }
    return y;
  };
}

function lengthsOf(x: Tensor, { lengths }: Case) {
  return lengths ? { lengths: x.graph.constant(Uint32Array.from(lengths), [lengths.length]) } : {};
}

function checkSeparate(sizes: Case, preferences?: OpCheck['preferences']) {
  const { n, queries, keys, heads, width, lengths: _, ...options } = sizes;
  const stride = heads * width;
  return checkOp({
    ...(preferences && { preferences }),
    shapes: [
      [n, queries, stride],
      [n, keys, stride],
      [n, keys, stride],
    ],
    build: ([q, k, v]) => attention(q!, k!, v!, { heads, ...options, ...lengthsOf(q!, sizes) }),
    reference: reference(sizes, (name, inputs) => ({
      values: inputs['qkv'.indexOf(name)]!,
      stride,
      offset: 0,
    })),
  });
}

function checkPacked(sizes: Omit<Case, 'keys'>, preferences?: OpCheck['preferences']) {
  const full = { ...sizes, keys: sizes.queries };
  const { n, queries, heads, width, keys: _keys, lengths: _lengths, ...options } = full;
  const stride = 3 * heads * width;
  return checkOp({
    ...(preferences && { preferences }),
    shapes: [[n, queries, stride]],
    build: ([qkv]) => selfAttention(qkv!, { heads, ...options, ...lengthsOf(qkv!, full) }),
    reference: reference(full, (name, [values]) => ({
      values: values!,
      stride,
      offset: 'qkv'.indexOf(name) * heads * width,
    })),
  });
}

/** The rule's choice and the GPU's: to compile every variant at every width takes minutes. SwiftShader has `direct` alone. */
const { adapter } = (await testDevice()).traits;
const RULE_AND_TILE = adapter === 'swiftshader' ? [{}] : [{}, { attention: 'tile', attentionSlope: 'tile' }];
const DIRECT = { attention: 'direct', attentionSlope: 'direct' };

describe('attention agrees with float64, and its gradients with differences', () => {
  test('in every variant: queries and keys of different numbers, heads that lanes do not share evenly', () =>
    checkSeparate({ n: 2, queries: 19, keys: 37, heads: 3, width: 20 }, [...RULE_AND_TILE, DIRECT]));
  test('odd sizes and another scale', () =>
    checkSeparate({ n: 3, queries: 5, keys: 9, heads: 1, width: 7, scale: 0.3 }));
  test('packed, as wide as the heads of a ViT', () =>
    checkPacked({ n: 2, queries: 50, heads: 2, width: 64 }, RULE_AND_TILE));
  test('packed and causal', () =>
    checkPacked({ n: 2, queries: 77, heads: 1, width: 32, causal: true }, RULE_AND_TILE));
  test('causal with an odd width', () =>
    checkPacked({ n: 1, queries: 13, heads: 2, width: 5, causal: true }));
  test('keys that are padding', () =>
    checkSeparate({ n: 3, queries: 6, keys: 40, heads: 2, width: 16, lengths: [40, 1, 33] }, RULE_AND_TILE));
  test('packed, causal and padded', () =>
    checkPacked({ n: 2, queries: 20, heads: 2, width: 8, causal: true, lengths: [7, 20] }, [
      ...RULE_AND_TILE,
      DIRECT,
    ]));
});

test('operands that do not fit are refused with their shapes', () => {
  const graph = new Graph();
  const [q, k, v] = [
    [2, 5, 8],
    [2, 9, 8],
    [2, 8, 8],
  ].map((shape, i) => graph.input(`x${i}`, shape));
  expect(() => attention(q!, k!, v!, { heads: 2 })).toThrow(ShapeError);
  expect(() => attention(q!, k!, v!, { heads: 2 })).toThrow('operand 2 must be [2, 9, 8] f32');
  expect(() => attention(q!, k!, k!, { heads: 3 })).toThrow('multiple of 3 heads');
  expect(() => attention(q!, k!, k!, { heads: 2, causal: true })).toThrow('as many queries as keys');
  expect(() => selfAttention(q!, { heads: 2 })).toThrow('multiple of 3 · 2 heads');
});
