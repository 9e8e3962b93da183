import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ShapeError } from '../../../src/engine/errors.js';
import { Graph } from '../../../src/engine/graph/tensor.js';
import { add, mul, relu } from '../../../src/kernels/pointwise/pointwise-table.js';
import { bmm } from '../../../src/kernels/product/bmm.js';
import type { BmmGeometry } from '../../../src/kernels/product/bmm-geometry.js';
import { planRows } from '../../device.js';
import { checkOp, type OpCheck } from '../check-op.js';

/** In float64, straight from the definition. */
function reference({ batch, m, k, n, transposeA, transposeB }: BmmGeometry) {
  return ([a, b]: Float64Array[]): Float64Array =>
    Float64Array.from({ length: batch * m * n }, (_, at) => {
      const j = at % n;
      const i = Math.floor(at / n) % m;
      const number = Math.floor(at / (n * m));
      let total = 0;
      for (let q = 0; q < k; q++) {
        total +=
          a![number * m * k + (transposeA ? q * m + i : i * k + q)]! *
          b![number * k * n + (transposeB ? j * k + q : q * n + j)]!;
      }
      return total;
    });
}

function shapes({ batch, m, k, n, transposeA, transposeB }: BmmGeometry) {
  return [transposeA ? [batch, k, m] : [batch, m, k], transposeB ? [batch, n, k] : [batch, k, n]];
}

/** The rule's choice and the plain kernel. */
const FEW = [{}, { bmm: 'direct' }];

function check(geometry: BmmGeometry, options: Partial<OpCheck> = {}): Promise<void> {
  const { transposeA, transposeB } = geometry;
  return checkOp({
    shapes: shapes(geometry),
    build: ([a, b]) => bmm(a!, b!, { transposeA, transposeB }),
    reference: reference(geometry),
    ...options,
  });
}

describe('bmm and its gradients', () => {
  // The gradients of A·B are the products with one side transposed, by every kernel.
  test('several tiles, in every variant', () =>
    check({ batch: 3, m: 36, k: 24, n: 140, transposeA: false, transposeB: false }));

  // How operands are read is common to the tiles.
  for (const [transposeA, transposeB] of [
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ] as const) {
    test(`${transposeA ? 'Aᵀ' : 'A'}·${transposeB ? 'Bᵀ' : 'B'}, nothing in fours`, () =>
      check({ batch: 4, m: 35, k: 17, n: 9, transposeA, transposeB }, { preferences: FEW }));
  }

  test('any sizes', async () => {
    const size = fc.constantFrom(1, 3, 8, 33, 36);
    const geometry = fc.record({
      batch: fc.integer({ min: 1, max: 4 }),
      m: size,
      k: size,
      n: size,
      transposeA: fc.boolean(),
      transposeB: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(geometry, fc.nat(1000), (g, seed) => check(g, { seed, preferences: FEW })),
      { numRuns: 5 },
    );
  });

  test('what follows element by element runs in the store', async () => {
    const geometry = { batch: 3, m: 6, k: 8, n: 12, transposeA: false, transposeB: true };
    const rows = await planRows((graph) => {
      const [a, b] = shapes(geometry).map((shape, i) => graph.input(`x${i}`, shape));
      return [relu(add(mul(bmm(a!, b!, { transposeB: true }), 0.5), graph.input('bias', [12])))];
    });
    expect(rows.map(({ op }) => op)).toEqual(['bmm']);
    await checkOp({
      shapes: [...shapes(geometry), [12]],
      build: ([a, b, bias]) => relu(add(mul(bmm(a!, b!, { transposeB: true }), 0.5), bias!)),
      reference: ([a, b, bias]) =>
        reference(geometry)([a!, b!]).map((value, i) => Math.max(0, value / 2 + bias![i % 12]!)),
    });
  });

  test('operands that do not chain are refused', () => {
    const graph = new Graph();
    const [a, b, c] = [
      [2, 3, 4],
      [2, 5, 4],
      [3, 4, 5],
    ].map((shape, i) => graph.input(`x${i}`, shape));
    expect(() => bmm(a!, b!)).toThrow(ShapeError);
    expect(() => bmm(a!, c!)).toThrow('[2, 3, 4] f32 and [3, 4, 5] f32 do not chain');
    expect(() => bmm(a!, graph.input('m', [4, 5]))).toThrow('two batches of matrices');
  });
});
