import { fromBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { onnxModel } from '../../bench/contenders/onnx-model.js';
import { ModelProtoSchema } from '../../src/export/onnx_pb.js';

test('a model of one node holds its op, attributes and shapes', () => {
  const attributes = { group: 1, strides: [2, 2] };
  const shapes = [
    [8, 3, 300, 7],
    [4, 3, 3, 3],
  ];
  const { graph, opsetImport } = fromBinary(
    ModelProtoSchema,
    onnxModel({ op: 'Conv', attributes }, shapes, [8, 4, 150, 3]),
  );
  expect(graph?.node).toMatchObject([
    {
      opType: 'Conv',
      input: ['x0', 'x1'],
      output: ['y'],
      attribute: [
        { name: 'group', i: 1n },
        { name: 'strides', ints: [2n, 2n] },
      ],
    },
  ]);
  const sizes = graph?.input.map(({ type }) => type?.value.value?.shape?.dim.map(({ value }) => value.value));
  expect(sizes).toEqual(shapes.map((shape) => shape.map(BigInt)));
  expect(opsetImport).toMatchObject([{ version: 17n }]);
});
