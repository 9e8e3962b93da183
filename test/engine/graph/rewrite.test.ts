import { describe, expect, test } from 'vitest';
import { rewrite } from '../../../src/engine/graph/rewrite.js';
import { Graph, type Node, type Tensor } from '../../../src/engine/graph/tensor.js';
import { store } from '../../../src/engine/store.js';
import { add, exp, mul, relu, sub } from '../../../src/kernels/pointwise/pointwise-table.js';
import { sum } from '../../../src/kernels/reduce/reduce.js';
import { evaluate, planRows } from '../../device.js';
import { expectClose } from '../../kernels/check-op.js';

const LIMITS = { maxBindings: 8 };

function traceInputs(count: number): [Graph, ...Tensor[]] {
  const graph = new Graph();
  return [graph, ...Array.from({ length: count }, (_, i) => graph.input(`x${i}`, [4]))];
}

const names = (nodes: readonly Node[]) => nodes.map(({ op }) => op.name);

describe('rewrite', () => {
  test('drops what nobody asks for, and keeps what changes memory', () => {
    const [graph, x] = traceInputs(1);
    exp(mul(x!, 2));
    const wanted = relu(x!);
    expect(rewrite(graph.nodes, new Set([wanted]), LIMITS)).toHaveLength(1);
    store(exp(x!), graph.variable('arena', 'v', [4]));
    expect(names(rewrite(graph.nodes, new Set([wanted]), LIMITS))).toEqual([
      'pointwise',
      'pointwise',
      'store',
    ]);
  });

  test('merges a chain, and a reduction at its end, into one node', () => {
    const [graph, x, y] = traceInputs(2);
    const total = sum(relu(add(mul(x!, y!), exp(y!))));
    const nodes = rewrite(graph.nodes, new Set([total]), LIMITS);
    expect(names(nodes)).toEqual(['reduce']);
    expect(new Set(nodes[0]!.inputs)).toEqual(new Set([x, y]));
    expect(nodes[0]!.outputs).toEqual([total]);
  });

  test('does not merge a value that two ops read, nor one that is asked for', () => {
    const [graph, x] = traceInputs(1);
    const shared = exp(x!);
    const [a, b] = [add(shared, 1), mul(shared, 2)];
    expect(rewrite(graph.nodes, new Set([a, b]), LIMITS)).toHaveLength(3);

    const [other, z] = traceInputs(1);
    const asked = exp(z!);
    const last = relu(asked);
    expect(rewrite(other.nodes, new Set([asked, last]), LIMITS)).toHaveLength(2);
  });

  test('merges a value of two readers once both have become one', () => {
    const [graph, x] = traceInputs(1);
    const shared = exp(x!);
    const product = mul(add(shared, 1), mul(shared, 2));
    const nodes = rewrite(graph.nodes, new Set([product]), LIMITS);
    expect(nodes).toHaveLength(1);
    expect(nodes[0]!.inputs).toEqual([x]);
  });

  test('keeps to the number of bindings', () => {
    const [graph, first, ...rest] = traceInputs(20);
    const total = rest.reduce(add, first!);
    const nodes = rewrite(graph.nodes, new Set([total]), LIMITS);
    expect(nodes.length).toBeGreaterThan(1);
    expect(nodes.length).toBeLessThan(6);
    for (const node of nodes) expect(node.inputs.length + 1).toBeLessThanOrEqual(LIMITS.maxBindings);
  });

  test('moves nothing across an op that changes memory', () => {
    const graph = new Graph();
    const x = graph.input('x', [4]);
    const variable = graph.variable('arena', 'v', [4]);
    const before = exp(variable);
    store(x, variable);
    const after = mul(before, 2);
    expect(names(rewrite(graph.nodes, new Set([after]), LIMITS))).toEqual([
      'pointwise',
      'store',
      'pointwise',
    ]);
  });

  test('fused and unfused programs give the same values', async () => {
    const operands = [0, 1, 2].map((k) => ({
      shape: k === 1 ? [3] : [5, 3],
      values: Float32Array.from({ length: k === 1 ? 3 : 15 }, (_, i) => Math.sin(i + k)),
    }));
    const chain = ([x, y, z]: Tensor[]) => {
      const scaled = mul(x!, y!);
      const shifted = sub(scaled, z!);
      const rectified = relu(shifted);
      return [scaled, shifted, rectified, add(rectified, exp(shifted))];
    };
    // Asking for an intermediate keeps it from being merged.
    const unfused = await evaluate(operands, chain);
    const fused = await evaluate(operands, (inputs) => chain(inputs).slice(-1));
    expectClose(fused[0]!, unfused[3]!, 1e-6);
  });

  test('a merged chain is one dispatch of the program', async () => {
    const rows = await planRows((graph) => {
      const x = graph.input('x', [8, 4]);
      return [mul(relu(add(exp(x), graph.input('bias', [4]))), 0.5)];
    });
    expect(rows).toHaveLength(1);
    expect(rows[0]!.dispatches).toBe(1);
  });
});
