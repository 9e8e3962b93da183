import { describe, expect, test } from 'vitest';
import { rewrite } from '../../../src/engine/graph/rewrite.js';
import { Graph, type Tensor } from '../../../src/engine/graph/tensor.js';
import { grad } from '../../../src/kernels/common/grad.js';
import { conv2d, matmul } from '../../../src/kernels/conv/conv.js';
import { type ConvOptions, convGeometry } from '../../../src/kernels/conv/conv-geometry.js';
import { add, dropout, gelu, mul, relu, sub, tanh } from '../../../src/kernels/pointwise/pointwise-table.js';
import { sum } from '../../../src/kernels/reduce/reduce.js';
import { reshape } from '../../../src/kernels/shape/reshape.js';
import { checkOp } from '../check-op.js';
import { convReference } from '../conv/conv-reference.js';

const LIMITS = { maxBindings: 8 };

/** The ops that are left of a graph that is asked for `outputs`. */
function left(outputs: readonly Tensor[], limits = LIMITS): string[] {
  const { graph } = outputs[0]!;
  return rewrite(graph.nodes, new Set(outputs), limits).map(({ op }) => op.name);
}

describe('the rewriter puts into a convolution', () => {
  const trace = () => {
    const graph = new Graph();
    const x = graph.input('x', [2, 6, 6, 8]);
    return { graph, x, w: graph.input('w', [3, 3, 8, 12]), row: graph.input('row', [12]) };
  };

  test('a chain of rows, scalars and whole tensors', () => {
    const { graph, x, w, row } = trace();
    const residual = graph.input('residual', [2, 6, 6, 12]);
    const y = relu(add(mul(sub(conv2d(x, w, { padding: 1 }), row), 0.5), residual));
    const nodes = rewrite(graph.nodes, new Set([y]), LIMITS);
    expect(nodes.map(({ op }) => op.name)).toEqual(['conv2d']);
    expect(nodes[0]!.inputs).toEqual([x, w, row, residual]);
    expect(nodes[0]!.outputs).toEqual([y]);
  });

  test('one of two branches that meet, and leaves the other its own', () => {
    const { x, w, graph } = trace();
    const other = conv2d(x, graph.input('v', [1, 1, 8, 12]));
    expect(left([relu(add(conv2d(x, w, { padding: 1 }), other))])).toEqual(['conv2d', 'conv2d']);
  });

  test('what follows a matrix product behind its reshape', () => {
    const graph = new Graph();
    const product = matmul(graph.input('a', [5, 8]), graph.input('b', [8, 12]));
    const nodes = left([gelu(add(product, graph.input('row', [12])))]);
    // The reshapes of the operands are no work.
    expect(nodes).toEqual(['reshape', 'reshape', 'conv2d']);
  });

  test('what follows its input gradient', () => {
    const { graph, x, w } = trace();
    const y = conv2d(relu(x), w, { padding: 1 });
    const [dx] = grad(sum(mul(y, graph.input('dy', y.shape))), [x]);
    // The gradient of the sum, the ReLU's mask drawn in.
    expect(left([dx!])).toEqual(['reshape', 'pointwise', 'conv2dInputGradient']);
  });

  test('nothing that others read as well, nor what it cannot read element by element', () => {
    const { graph, x, w, row } = trace();
    const y = conv2d(x, w, { padding: 1 });
    const once = add(y, row);
    expect(left([once, y])).toEqual(['conv2d', 'pointwise']);
    const perImage = graph.input('perImage', [2, 1, 1, 12]);
    expect(left([mul(conv2d(x, w), perImage)])).toEqual(['conv2d', 'pointwise']);
    const seed = graph.input('seed', [2], 'u32');
    expect(left([dropout(conv2d(x, w), seed, { p: 0.5, stream: 0 })])).toEqual(['conv2d', 'pointwise']);
    const wider = reshape(conv2d(x, w), [2, 1, 16, 12]);
    expect(left([add(wider, graph.input('grown', [2, 3, 16, 12]))])).toEqual(['conv2d', 'pointwise']);
    expect(left([add(reshape(conv2d(x, w), [2, 4, 48]), graph.input('long', [48]))])).toEqual([
      'conv2d',
      'reshape',
      'pointwise',
    ]);
  });

  test('as much as the bindings of a kernel allow', () => {
    const { graph, x, w } = trace();
    const rows = Array.from({ length: 9 }, (_, k) => graph.input(`row${k}`, [12]));
    const y = rows.reduce((sum, row) => add(sum, row), conv2d(x, w));
    const nodes = rewrite(graph.nodes, new Set([y]), LIMITS);
    expect(nodes.map(({ op }) => op.name)).toEqual(['conv2d', 'pointwise']);
    expect(nodes[0]!.inputs).toHaveLength(7);
  });
});

describe('a convolution with an epilogue', () => {
  const cases: Record<string, ConvOptions & { x: number[]; w: number[] }> = {
    '3×3': { x: [2, 9, 7, 16], w: [3, 3, 16, 36], padding: 1 },
    'stride 2 on odd sizes and channels': { x: [1, 9, 11, 5], w: [3, 3, 5, 7], padding: 1, stride: 2 },
    'a matrix product of many terms': { x: [1, 5, 9, 260], w: [1, 1, 260, 20] },
    'sums that GPUs split': { x: [1, 3, 5, 1030], w: [1, 1, 1030, 20] },
    'sums of a strided gradient that GPUs split': {
      x: [1, 7, 5, 8],
      w: [3, 3, 8, 516],
      padding: 1,
      stride: 2,
    },
    depthwise: { x: [2, 8, 9, 12], w: [3, 3, 1, 12], padding: 1, groups: 12 },
    grouped: { x: [2, 6, 5, 16], w: [3, 3, 8, 8], padding: 1, groups: 2 },
    'gaps that no tap meets': { x: [1, 7, 7, 4], w: [1, 1, 4, 8], stride: 3 },
  };
  for (const [name, { x, w, ...options }] of Object.entries(cases)) {
    const g = convGeometry(x, w, options);
    const plain = convReference(g);

    test(`${name}: scale, bias, residual, activation`, () =>
      checkOp({
        shapes: [x, w, [g.o], [g.n, g.oh, g.ow, g.o], [1]],
        build: ([image, weights, bias, residual, scale]) =>
          tanh(add(mul(add(conv2d(image!, weights!, options), bias!), scale!), residual!)),
        reference: ([image, weights, bias, residual, scale]) =>
          plain([image!, weights!]).map((value, i) =>
            Math.tanh((value + bias![i % g.o]!) * scale![0]! + residual![i]!),
          ),
      }));

    test(`${name}: an input gradient that is scaled`, () =>
      checkOp({
        shapes: [x, w, x],
        build: ([image, weights, factor]) => conv2d(mul(image!, factor!), weights!, options),
        reference: ([image, weights, factor]) =>
          plain([image!.map((value, i) => value * factor![i]!), weights!]),
      }));
  }
});
