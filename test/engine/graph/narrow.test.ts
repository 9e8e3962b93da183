import { describe, expect, it } from 'vitest';
import { narrow } from '../../../src/engine/graph/narrow.js';
import { rewrite } from '../../../src/engine/graph/rewrite.js';
import { Graph, type Node, type Tensor } from '../../../src/engine/graph/tensor.js';
import { storeOp } from '../../../src/engine/store.js';
import { conv2d, matmul } from '../../../src/kernels/conv/conv.js';
import { copyAsF16 } from '../../../src/kernels/optimizer/copy-as-f16.js';
import { add, mul, relu, sqrt } from '../../../src/kernels/pointwise/pointwise-table.js';
import { sum } from '../../../src/kernels/reduce/reduce.js';
import { softmax } from '../../../src/kernels/reduce/softmax.js';
import { permute } from '../../../src/kernels/shape/movement.js';
import { reshape } from '../../../src/kernels/shape/reshape.js';

/** Nodes as they would run, and the storage of each one's operands. */
function narrowed(graph: Graph, keep: readonly Tensor[], copies: Readonly<Record<string, string>> = {}) {
  const kept = new Set(keep);
  const nodes = narrow(rewrite(graph.nodes, kept, { maxBindings: 8 }), kept, { copies });
  const spell = (tensors: readonly Tensor[]) => tensors.map(({ dtype }) => dtype).join(' ');
  return {
    nodes,
    storage: nodes.map(({ op, inputs, outputs }: Node) => `${op.name}: ${spell(inputs)} → ${spell(outputs)}`),
  };
}

describe('what is kept as f16', () => {
  it('large values between kernels that can, and no inputs, results, small values or sums', () => {
    const graph = new Graph();
    const x = graph.input('x', [1, 16, 16, 16]);
    const large = conv2d(x, graph.input('w', [1, 1, 16, 16]));
    const small = sum(large, [1, 2]);
    const result = conv2d(relu(large), graph.input('v', [1, 1, 16, 16]));
    const { storage } = narrowed(graph, [small, result]);
    expect(storage).toEqual([
      'conv2d: f32 f32 → f16',
      'reduce: f16 → f32',
      'pointwise: f16 → f16',
      'conv2d: f16 f32 → f32',
    ]);
  });

  it.each([
    [[1, 15, 273, 1], 'f32'],
    [[1, 16, 256, 1], 'f16'],
  ])('counts 4096 elements as large: %j', (shape, dtype) => {
    const graph = new Graph();
    const x = relu(graph.input('x', shape));
    const { storage } = narrowed(graph, [sum(x), sum(mul(x, x))]);
    expect(storage[0]).toBe(`pointwise: f32 → ${dtype}`);
  });

  it('no statistic, and nothing that is made of statistics alone', () => {
    const graph = new Graph();
    const x = relu(graph.input('x', [64, 8, 64]));
    const norms = sqrt(sum(mul(x, x), [1]));
    const scaled = mul(x, reshape(norms, [64, 1, 64]));
    const { storage } = narrowed(graph, [sum(norms), sum(mul(scaled, scaled)), sum(scaled)]);
    expect(storage).toEqual(
      expect.arrayContaining([
        'reduce: f16 → f32',
        'pointwise: f32 → f32',
        'reshape: f32 → f32',
        'pointwise: f16 f32 → f16',
      ]),
    );
  });

  it('nothing that one of its readers cannot take so, or that is stored', () => {
    const graph = new Graph();
    const x = graph.input('x', [64, 128]);
    const read = relu(x);
    const results = [sum(read), permute(read, [1, 0])];
    const gradient = matmul(x, graph.input('w', [128, 64]));
    graph.apply(storeOp, [reshape(gradient, [64 * 64]), graph.variable('grads', 'g', [64 * 64])], undefined);
    const { storage } = narrowed(graph, results);
    expect(storage).toContain('pointwise: f32 → f32');
    expect(storage).toContain('conv2d: f32 f32 → f32');
  });

  it('a value and its other shapes alike', () => {
    const graph = new Graph();
    const x = relu(graph.input('x', [64, 128]));
    const folded = softmax(reshape(x, [128, 64]));
    const { storage } = narrowed(graph, [sum(x), sum(folded)]);
    expect(storage).toContain('reshape: f16 → f16');
    expect(storage).toContain('exponentialSum: f16 → f32 f32');

    const other = new Graph();
    const y = relu(other.input('x', [64, 128]));
    const turned = permute(reshape(y, [128, 64]), [1, 0]);
    expect(narrowed(other, [sum(y), turned]).storage).toContain('reshape: f32 → f32');
  });

  it('no value that another shape of it is read from after the run', () => {
    const graph = new Graph();
    const x = relu(graph.input('x', [64, 128]));
    const shown = reshape(x, [128, 64]);
    expect(narrowed(graph, [sum(x), shown]).storage).toContain('pointwise: f32 → f32');
  });

  it('variables, where there is a copy and the kernel can read it; what updates them sees the original', () => {
    const graph = new Graph();
    const images = graph.input('x', [1, 8, 8, 64]);
    const [w, v, gamma] = [
      graph.variable('params', 'w', [1, 1, 64, 64]),
      graph.variable('other', 'v', [1, 1, 64, 64]),
      graph.variable('params', 'gamma', [64]),
    ];
    const y = add(conv2d(conv2d(images, w), v), gamma);
    copyAsF16(graph.variable('halfParams', 'w', [1, 1, 64, 64], 'f16'), w);
    const { nodes, storage } = narrowed(graph, [y], { params: 'halfParams' });
    expect(storage).toEqual(['conv2d: f32 f16 → f16', 'conv2d: f16 f32 f32 → f32', 'copyAsF16: f16 f32 → ']);
    expect(nodes[0]!.inputs[1]!.source).toEqual({ kind: 'variable', arena: 'halfParams', name: 'w' });
  });

  it('weights of linear layers, which reach their kernel reshaped; not where some reader cannot', () => {
    const graph = new Graph();
    const w = graph.variable('params', 'w', [64, 64]);
    const y = matmul(graph.input('x', [8, 64]), w);
    const { storage } = narrowed(graph, [y], { params: 'halfParams' });
    expect(storage).toContain('reshape: f16 → f16');
    expect(storage).toContain('conv2d: f32 f16 → f32');
    expect(narrowed(graph, [y]).storage).toContain('conv2d: f32 f32 → f32');
    const kept = reshape(w, [4096]);
    const both = narrowed(graph, [y, kept], { params: 'halfParams' });
    expect(both.storage).toContain('conv2d: f32 f16 → f32');
    expect(both.storage).toContain('reshape: f32 → f32');
  });
});
