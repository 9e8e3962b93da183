import { fromBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { exportOnnx } from '../../src/export/export-onnx.js';
import { type GraphProto, ModelProtoSchema } from '../../src/export/onnx_pb.js';
import { OnnxGraph } from '../../src/export/onnx-graph.js';
import { defineModel } from '../../src/models/model.js';
import { exported, hashedTensors } from './both-ways.js';

/** What is in an exported file, read back by the schema. */
function graphOf(bytes: Uint8Array): GraphProto {
  return fromBinary(ModelProtoSchema, bytes).graph!;
}

const count = ({ node }: GraphProto, operator: string) =>
  node.filter(({ opType }) => opType === operator).length;

const sizes = (info: GraphProto['input'][number]) => [
  info.name,
  ...info.type!.value.value!.shape!.dim.map(({ value }) => value.value),
];

test.each(['resnet18', 'convnext_atto', 'convnextv2_tiny'])(
  '%s: the file holds the state dict as it is, each tensor once',
  (arch) => {
    const config = { arch, classes: 3, width: 8 };
    const tensors = hashedTensors(config);
    const { initializer } = graphOf(exported(config, [64, 64]));
    const held = new Map(initializer.map((tensor) => [tensor.name, tensor]));
    expect(held.size).toBe(initializer.length);
    for (const [name, { shape, data }] of tensors) {
      expect(held.get(name)?.dims.map(Number)).toEqual(shape);
      expect(Buffer.compare(held.get(name)!.rawData, Buffer.from(data.buffer))).toBe(0);
    }
  },
);

test('a ResNet is convolutions, norms and activations, and nothing that moves elements about', () => {
  const graph = graphOf(exported({ arch: 'resnet18', classes: 3, width: 8 }, [64, 64]));
  const operators = ['Conv', 'BatchNormalization', 'Relu', 'Add', 'MaxPool', 'ReduceMean', 'Gemm'];
  expect(operators.map((operator) => count(graph, operator))).toEqual([20, 20, 17, 8, 1, 1, 1]);
  expect(graph.node.length).toBe(68);
});

test('a ConvNeXt moves elements twice a block, besides weights', () => {
  const graph = graphOf(exported({ arch: 'convnext_tiny', classes: 3, width: 8 }, [64, 64]));
  const ofValues = graph.node.filter(
    ({ opType, input }) => opType === 'Transpose' && !input[0]!.endsWith('.weight'),
  );
  // 18 blocks, the stem and three times downsampling
  expect(ofValues.length).toBeLessThanOrEqual(2 * (18 + 4));
  expect(count(graph, 'LayerNormalization')).toBe(18 + 5);
});

test('inputs and outputs: the batch is free, the image size where it was asked for', () => {
  const config = { arch: 'resnet18', classes: 3, width: 8, inChannels: 3 };
  const fixed = graphOf(exported(config, [64, 96]));
  expect(fixed.input.map(sizes)).toEqual([['image', 'batch', 3n, 64n, 96n]]);
  expect(fixed.output.map(sizes)).toEqual([
    ['logits', 'batch', 3n],
    ['features', 'batch', 64n],
  ]);
  const free = graphOf(exported(config, [64, 96], { anyImageSize: true }));
  expect(free.input.map(sizes)).toEqual([['image', 'batch', 3n, 'height', 'width']]);
});

test('names, version and metadata', () => {
  const model = fromBinary(
    ModelProtoSchema,
    exported({ arch: 'resnet10', classes: 2, width: 8 }, [64, 64], {
      metadata: { classes: '["a","ü"]' },
      description: 'x',
    }),
  );
  expect(model).toMatchObject({
    producerName: 'tailray',
    producerVersion: 'test',
    irVersion: 8n,
    docString: 'x',
  });
  expect(model.opsetImport).toMatchObject([{ domain: '', version: 17n }]);
  expect(model.metadataProps).toMatchObject([{ key: 'classes', value: '["a","ü"]' }]);
  expect(model.graph?.name).toBe('resnet10');
});

test('the same export gives the same bytes', () => {
  const once = () => exported({ arch: 'convnextv2_atto', classes: 2, width: 8 }, [64, 64]);
  expect(Buffer.compare(once(), once())).toBe(0);
});

test('weights that are not the network’s are refused by name', () => {
  const definition = defineModel({ arch: 'resnet10', classes: 2 });
  const tensors = hashedTensors({ arch: 'resnet10', classes: 3 });
  expect(() => exportOnnx({ definition, tensors, imageSize: [64, 64], version: 'test' })).toThrow(
    /fc\.weight +\[3, 512\] +\[2, 512\]/,
  );
});

test('more weights than a protocol buffer can hold are refused before anything is written', () => {
  const graph = new OnnxGraph();
  // never touched, so they take no memory
  const weights = new Float32Array(2 ** 28);
  for (const name of ['a', 'b']) graph.initializer(name, [weights.length], weights);
  expect(() => graph.encode({ name: 'large', version: '' })).toThrow(
    'the weights take 2 GiB, more than the 1.98 GiB of a single ONNX file',
  );
});
