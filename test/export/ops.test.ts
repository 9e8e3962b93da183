import { beforeEach, describe, expect, test } from 'vitest';
import type { Graph, Op, Tensor } from '../../src/engine/graph/tensor.js';
import { exportOnnx } from '../../src/export/export-onnx.js';
import { FUNCTION_RULES } from '../../src/export/function-rules.js';
import { pointwise } from '../../src/kernels/pointwise/pointwise.js';
import { pointwiseFunctions } from '../../src/kernels/pointwise/pointwise-table.js';
import { defineModel, type ModelDefinition } from '../../src/models/model.js';
import * as ops from '../../src/ops.js';
import { evaluate } from '../device.js';
import { hashUniform } from '../golden/hash-weights.js';
import { channelsFirst, TOLERANCE } from './both-ways.js';
import { MISSING, runtime, withOnnx } from './onnx-runtime.js';

beforeEach(({ skip }) => skip(!runtime, MISSING));

const IMAGE = [6, 9] as const;
const CHANNELS = 4;
const BATCH = 5;

/** A network that is no more than a few ops of an image [n, 6, 9, 4], with one weight. */
function network(trace: (x: Tensor, graph: Graph) => Tensor): ModelDefinition {
  return {
    ...defineModel({ arch: 'resnet10', classes: 1, inChannels: CHANNELS }),
    parameters: [],
    statistics: [],
    trace(graph, images) {
      const logits = trace(images, graph);
      return {
        logits,
        features: ops.mean(images, [1, 2]),
        observed: new Map(),
        landmarks: { attentions: [] },
      };
    },
  };
}

function bytes(trace: (x: Tensor, graph: Graph) => Tensor, anyImageSize = false): Uint8Array {
  return exportOnnx({
    definition: network(trace),
    tensors: new Map(),
    imageSize: IMAGE,
    anyImageSize,
    version: 'test',
  });
}

/** Traced for batches of 2 and 3, run at 5. */
async function expectSame(
  trace: (x: Tensor, graph: Graph) => Tensor,
  {
    runAt: [h, w] = IMAGE,
    anyImageSize = false,
  }: { runAt?: readonly [number, number]; anyImageSize?: boolean } = {},
): Promise<void> {
  const shape = [BATCH, h, w, CHANNELS] as const;
  const values = hashUniform('image', BATCH * h * w * CHANNELS).map((value) => 2 * value);
  const [expected] = await evaluate([{ shape, values }], ([x], graph) => [trace(x!, graph)]);
  await withOnnx(bytes(trace, anyImageSize), async (run) => {
    const { logits } = await run({ image: channelsFirst(values, shape) });
    expect(logits?.data.length).toBe(expected!.length);
    const errors = logits!.data.map(
      (value, i) => Math.abs(value - expected![i]!) / Math.max(1, Math.abs(expected![i]!)),
    );
    expect(Math.max(...errors)).toBeLessThan(TOLERANCE);
  });
}

/** Of the table, what only training needs. */
const TRAINING = ['dropout', 'geluSlope'];

describe('functions', () => {
  test('every function of the pointwise table has a row, but those of training', () => {
    const without = Object.keys(pointwiseFunctions).filter((name) => !FUNCTION_RULES[name]);
    expect(without.sort()).toEqual(TRAINING);
  });

  const positive = ['log', 'sqrt', 'rsqrt'];
  const binary = ['add', 'sub', 'mul', 'div', 'maximum', 'minimum', 'greater'];
  test.each(Object.keys(pointwiseFunctions).filter((name) => !TRAINING.includes(name)))(
    '%s',
    async (name) => {
      const fn = pointwiseFunctions[name]!;
      await expectSame((x) => {
        const operand = positive.includes(name) ? ops.add(ops.abs(x), 0.1) : x;
        // another order of axes than the first operand's, and nowhere 0
        const other = ops.add(ops.abs(ops.permute(ops.permute(x, [0, 3, 2, 1]), [0, 3, 2, 1])), 0.25);
        if (binary.includes(name)) return pointwise(fn, [operand, other]);
        return pointwise(fn, [operand], name.endsWith('Scalar') ? [0.3] : []);
      });
    },
  );
});

describe('broadcasting, in either order of axes', () => {
  const vector = (graph: Graph, n: number) => graph.constant(hashUniform('vector', n), [n]);
  /** What a convolution leaves lies channels-first, the input too; this one lies as ours. */
  const ours = (x: Tensor) =>
    ops.layerNorm(x, vector(x.graph, CHANNELS), vector(x.graph, CHANNELS), { epsilon: 1e-6 });

  test.each([
    ['channels-first', (x: Tensor) => x],
    ['channels-last', ours],
  ])('%s', async (_name, from) => {
    await expectSame((x, graph) => ops.add(from(x), vector(graph, CHANNELS)));
    await expectSame((x, graph) => ops.mul(vector(graph, CHANNELS), from(x)));
    await expectSame((x, graph) => ops.mul(from(x), graph.constant(hashUniform('plane', 54), [6, 9, 1])));
    await expectSame((x, graph) => ops.sub(from(x), graph.constant(hashUniform('row', 36), [9, 4])));
    await expectSame((x) =>
      ops.mul(from(x), ops.reshape(ops.mean(from(x), [1, 2]), [x.shape[0]!, 1, 1, CHANNELS])),
    );
    await expectSame((x) =>
      ops.add(from(x), ops.relu(ops.permute(ops.permute(from(x), [0, 2, 1, 3]), [0, 2, 1, 3]))),
    );
  });

  test('a tensor spread over the batch, and over an image whose size is free', async () => {
    await expectSame((x, graph) => ops.broadcastTo(vector(graph, 3), [x.shape[0]!, 7, 3]));
    await expectSame((x) =>
      ops.broadcastTo(ops.reshape(ops.sum(x, [1, 2, 3]), [x.shape[0]!, 1]), [x.shape[0]!, 6]),
    );
    const spread = (x: Tensor) =>
      ops.broadcastTo(ops.reshape(ops.mean(x, [1, 2]), [x.shape[0]!, 1, 1, CHANNELS]), x.shape);
    await expectSame(spread, { anyImageSize: true, runAt: [11, 7] });
  });
});

describe('convolutions and pools', () => {
  const weights = (graph: Graph, shape: readonly number[]) =>
    graph.constant(
      hashUniform(
        'weights',
        shape.reduce((a, b) => a * b),
      ),
      shape,
    );

  test('strides, dilations, groups and unequal padding', async () => {
    await expectSame((x, graph) => ops.conv2d(x, weights(graph, [3, 3, 4, 6]), { stride: 2, padding: 1 }));
    await expectSame((x, graph) =>
      ops.conv2d(x, weights(graph, [3, 2, 2, 6]), { groups: 2, padding: [2, 1] }),
    );
    await expectSame((x, graph) =>
      ops.conv2d(x, weights(graph, [3, 3, 1, 4]), { groups: 4, dilation: [2, 1] }),
    );
    await expectSame((x, graph) =>
      ops.conv2d(x, weights(graph, [2, 3, 4, 5]), { stride: [2, 3], padding: [0, 1, 2, 0] }),
    );
    await expectSame((x, graph) => ops.conv2d(x, weights(graph, [1, 1, 4, 3]), { stride: 2 }));
    await expectSame((x, graph) => ops.conv2d(x, weights(graph, [1, 1, 4, 3])));
  });

  test('the same at another image size', async () => {
    const anywhere = { anyImageSize: true, runAt: [13, 8] } as const;
    await expectSame(
      (x, graph) => ops.conv2d(x, weights(graph, [7, 7, 4, 6]), { stride: 2, padding: 3 }),
      anywhere,
    );
    await expectSame((x) => ops.maxPool2d(x, { kernel: 3, stride: 2, padding: 1 }), anywhere);
  });

  test('pools', async () => {
    await expectSame((x) => ops.maxPool2d(x, { kernel: [3, 2], stride: [2, 1], padding: [1, 0] }));
    await expectSame((x) => ops.averagePool2d(x, { kernel: 3, stride: 2, padding: 1 }));
    await expectSame((x) =>
      ops.averagePool2d(x, { kernel: 3, stride: 2, padding: 1, countIncludePad: false }),
    );
    const cutOff = { kernel: 2, stride: 2, ceilMode: true, countIncludePad: false };
    await expectSame((x) => ops.averagePool2d(x, cutOff));
    await expectSame((x) => ops.averagePool2d(x, cutOff), { anyImageSize: true, runAt: [7, 9] });
    await expectSame((x) => ops.maxPool2d(x, cutOff));
  });
});

describe('shapes', () => {
  test('reductions over neighbouring axes', async () => {
    for (const axes of [[1], [3], [1, 2], [2, 3]]) await expectSame((x) => ops.sum(x, axes));
    await expectSame((x) => ops.max(x, [1, 2]));
    await expectSame((x) => ops.max(ops.permute(x, [0, 3, 2, 1]), [1]));
    await expectSame((x) => ops.mean(ops.square(x), [2]));
    await expectSame((x) => ops.mean(x));
  });

  test('reshape, permute, concat, slice and pad', async () => {
    await expectSame((x) => ops.reshape(x, [x.shape[0]!, 54, CHANNELS]));
    await expectSame((x) => ops.reshape(x, [x.shape[0]! * 6, 9, CHANNELS]));
    await expectSame((x) => ops.reshape(x, [2, 3, x.shape[0]! * 36]));
    await expectSame((x) => ops.permute(x, [3, 0, 2, 1]));
    await expectSame((x) => ops.concat([x, ops.relu(x), ops.pad(x, [0, 0, 0, 0], [0, 0, 0, 2])], 3));
    await expectSame((x) => ops.slice(x, [0, 1, 2, 1], [x.shape[0]!, 3, 6, 2]));
    await expectSame((x) => ops.pad(x, [0, 1, 2, 0], [0, 0, 1, 3], 0.5));
  });

  test('softmax along any axis', async () => {
    for (const axis of [1, 2, 3]) {
      await expectSame((x) => ops.softmax(x, axis));
      await expectSame((x) => ops.logSoftmax(ops.permute(x, [0, 2, 3, 1]), axis));
    }
  });

  test('matrix products, transposed or not', async () => {
    const matrix = (x: Tensor) => ops.reshape(x, [x.shape[0]!, 216]);
    const other = (graph: Graph, shape: readonly number[]) =>
      graph.constant(hashUniform('b', 216 * 7), shape);
    await expectSame((x, graph) => ops.matmul(matrix(x), other(graph, [216, 7])));
    await expectSame((x, graph) => ops.matmul(matrix(x), other(graph, [7, 216]), { transposeB: true }));
    await expectSame((x, graph) =>
      ops.matmul(ops.permute(matrix(x), [1, 0]), other(graph, [7, 216]), {
        transposeA: true,
        transposeB: true,
      }),
    );
    await expectSame((x) => ops.matmul(matrix(x), matrix(x), { transposeA: true }));
  });
});

describe('products of a batch', () => {
  const rows = (x: Tensor) => ops.reshape(x, [x.shape[0]! * IMAGE[0], IMAGE[1], CHANNELS]);
  const columns = (x: Tensor) => ops.permute(rows(x), [0, 2, 1]);

  test('transposed or not', async () => {
    await expectSame((x) => ops.bmm(rows(x), columns(x)));
    await expectSame((x) => ops.bmm(rows(x), rows(x), { transposeB: true }));
    await expectSame((x) => ops.bmm(columns(x), rows(x), { transposeA: true, transposeB: true }));
  });

  test('attention', async () => {
    await expectSame((x) => ops.scaledDotProductAttention(x, ops.relu(x), ops.abs(x)));
  });
});

test('the embedding of a head that has one is an output, too', async () => {
  const definition: ModelDefinition = {
    ...network((x) => x),
    trace(_graph, images) {
      const features = ops.mean(images, [1, 2]);
      const length = ops.sqrt(ops.reshape(ops.sum(ops.square(features), [1]), [images.shape[0]!, 1]));
      return {
        logits: ops.relu(features),
        features,
        embedding: ops.div(features, length),
        observed: new Map(),
        landmarks: { attentions: [] },
      };
    },
  };
  const model = exportOnnx({ definition, tensors: new Map(), imageSize: IMAGE, version: 'test' });
  const values = hashUniform('image', BATCH * 6 * 9 * CHANNELS);
  await withOnnx(model, async (run) => {
    const { embedding } = await run({ image: channelsFirst(values, [BATCH, 6, 9, CHANNELS]) });
    expect(embedding?.dims).toEqual([BATCH, CHANNELS]);
    for (let n = 0; n < BATCH; n++) {
      expect(Math.hypot(...embedding!.data.subarray(n * CHANNELS, (n + 1) * CHANNELS))).toBeCloseTo(1, 5);
    }
  });
});

describe('what has no ONNX form says so', () => {
  test('an unknown function', () => {
    const cube = { name: 'cube', wgsl: ([x]: readonly string[]) => `${x} * ${x} * ${x}` };
    expect(() => bytes((x, graph) => graph.scope('head', () => pointwise(cube, [x])))).toThrow(
      'head.pointwise: the function "cube" has no ONNX form: function-rules.ts needs a row for it',
    );
  });

  test('an unknown op', () => {
    const mystery: Op<object> = { name: 'mystery', infer: ([x]) => [x!], flops: () => 0, variants: [] };
    expect(() => bytes((x, graph) => graph.apply(mystery, [x], {})[0]!)).toThrow(
      'mystery: the op "mystery" has no ONNX form: op-rules.ts needs a rule for it',
    );
  });

  test('a network that changes with its batch', () => {
    expect(() => bytes((x) => (x.shape[0] === 2 ? x : ops.relu(x)))).toThrow(
      'is another network for another batch size',
    );
  });

  test('a head that needs one image size, where all are asked for', () => {
    const halves = (x: Tensor) => ops.reshape(ops.reshape(x, [x.shape[0]!, -1, CHANNELS]), [...x.shape]);
    expect(() => bytes(halves, true)).toThrow('more than one of its sizes [2,6,9,4] depends on the image');
    expect(() =>
      bytes((x) => ops.slice(x, [0, 0, 0, 0], [x.shape[0]!, x.shape[1]! - 1, 9, 4]), true),
    ).toThrow('depends on the size of the image');
  });
});
