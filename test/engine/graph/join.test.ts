import { expect, test } from 'vitest';
import { rewrite } from '../../../src/engine/graph/rewrite.js';
import { Graph, type Tensor } from '../../../src/engine/graph/tensor.js';
import { matmul } from '../../../src/kernels/conv/conv.js';
import { exp, mul } from '../../../src/kernels/pointwise/pointwise-table.js';
import { mean, sum } from '../../../src/kernels/reduce/reduce.js';
import { reshape } from '../../../src/kernels/shape/reshape.js';

const LIMITS = { maxBindings: 8 };
const JOINED = 'conv2dWeightBiasGradient';

/** Sums of dy, as a bias gradient is traced, and then xᵀ·dy. */
function trace(sumsOf = (dy: Tensor) => sum(dy, [0])) {
  const graph = new Graph();
  const x = graph.input('x', [6, 4]);
  const dy = exp(graph.input('dy', [6, 8]));
  const sums = sumsOf(dy);
  return { graph, sums, dw: matmul(x, dy, { transposeA: true }) };
}

const ops = (graph: Graph, results: readonly Tensor[]) =>
  rewrite(graph.nodes, new Set(results), LIMITS).map(({ op }) => op.name);

test('readers of one tensor become one node, which gives the tensors of both', () => {
  const { graph, sums, dw } = trace();
  const nodes = rewrite(graph.nodes, new Set([dw, sums]), LIMITS);
  const joined = nodes.find(({ op }) => op.name === JOINED);
  expect(joined?.outputs).toHaveLength(2);
  expect(joined?.outputs[1]).toBe(sums);
  expect(nodes.map(({ op }) => op.name)).not.toContain('reduce');
});

test('a result that is read before the other node runs keeps a node of its own', () => {
  const { graph, sums, dw } = trace((dy) => exp(mul(sum(dy, [0]), 2)));
  expect(ops(graph, [sums, dw])).not.toContain(JOINED);
});

test('a result that is read later does not', () => {
  const { graph, sums, dw } = trace();
  const later = mul(sums, 2);
  expect(ops(graph, [dw, later])).toContain(JOINED);
});

test('a result that is read under another shape does not', () => {
  const { graph, sums, dw } = trace((dy) => reshape(sum(dy, [0]), [2, 4]));
  const later = exp(sums);
  const nodes = rewrite(graph.nodes, new Set([dw, later]), LIMITS);
  expect(nodes.map(({ op }) => op.name)).toContain(JOINED);
  // The order still is one: no tensor is read before it is there.
  const there = new Set<Tensor>(graph.inputs.values());
  for (const { inputs, outputs } of nodes) {
    for (const input of inputs) expect(there.has(input)).toBe(true);
    for (const output of outputs) there.add(output);
  }
});

test.each([
  ['of rows', (dy: Tensor) => sum(dy, [1])],
  ['of all', (dy: Tensor) => sum(dy)],
  ['means', (dy: Tensor) => mean(dy, [0])],
  ['squares', (dy: Tensor) => sum(mul(dy, dy), [0])],
] as const)('other sums of the same tensor are nodes of their own: %s', (_, sumsOf) => {
  const { graph, sums, dw } = trace(sumsOf);
  expect(ops(graph, [sums, dw])).not.toContain(JOINED);
});
