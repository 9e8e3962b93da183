import { describe, expect, test } from 'vitest';
import { ShapeError } from '../../../src/engine/errors.js';
import { rewrite } from '../../../src/engine/graph/rewrite.js';
import { at, Graph, type Tensor } from '../../../src/engine/graph/tensor.js';
import { grad } from '../../../src/kernels/common/grad.js';
import { exp, mul } from '../../../src/kernels/pointwise/pointwise-table.js';
import { sum } from '../../../src/kernels/reduce/reduce.js';

/** The last op that is left of a graph after rewriting, applied to the same operands in the same graph. */
function merged(build: (x: Tensor) => Tensor): { x: Tensor; y: Tensor } {
  const graph = new Graph();
  const x = graph.input('x', [2, 4]);
  const { op, inputs, attributes } = at(rewrite(graph.nodes, new Set([build(x)]), { maxBindings: 8 }), -1);
  return { x, y: at(graph.apply(op, inputs, attributes), 0) };
}

describe('a node that the rewriter has merged', () => {
  test('refuses a gradient where it is pointwise, instead of giving zeros', () => {
    const { x, y } = merged((x) => mul(exp(x), x));
    expect(() => grad(y, [x])).toThrow(ShapeError);
    expect(() => grad(y, [x])).toThrow(/^pointwise: several functions were merged/);
  });

  test('refuses a gradient where it is a reduction, instead of giving the one of its sum alone', () => {
    const { x, y } = merged((x) => sum(exp(x)));
    expect(() => grad(y, [x])).toThrow(/^reduce: pointwise functions were merged/);
  });

  test('keeps its gradient where nothing was merged into it', () => {
    const { x, y } = merged((x) => exp(x));
    expect(at(grad(y, [x]), 0).shape).toEqual([2, 4]);
  });
});
