import { expect, test } from 'vitest';
import { onnxModel } from '../../bench/contenders/onnx-model.js';

/** A protocol buffer as nested lists of [field, value]; just enough to read a model back. */
function fields(bytes: Uint8Array): [field: number, value: number | Uint8Array][] {
  const read: [number, number | Uint8Array][] = [];
  let at = 0;
  const varint = () => {
    let [value, shift] = [0, 0];
    for (;;) {
      const byte = bytes[at++] ?? 0;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
      shift += 7;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    if ((key & 7) === 0) read.push([key >> 3, varint()]);
    else {
      const length = varint();
      read.push([key >> 3, bytes.subarray(at, at + length)]);
      at += length;
    }
  }
  return read;
}

const pick = (bytes: Uint8Array, field: number) =>
  fields(bytes)
    .filter(([number]) => number === field)
    .map(([, value]) => value);
const inner = (bytes: Uint8Array, ...path: number[]): Uint8Array =>
  path.reduce((message, field) => pick(message, field)[0] as Uint8Array, bytes);
const text = (value: unknown) => new TextDecoder().decode(value as Uint8Array);

test('a model of one node holds its op, attributes and shapes', () => {
  const attributes = { group: 1, strides: [2, 2] };
  const bytes = onnxModel(
    { op: 'Conv', attributes },
    [
      [8, 3, 300, 7],
      [4, 3, 3, 3],
    ],
    [8, 4, 150, 3],
  );
  const graph = inner(bytes, 7);
  const node = inner(graph, 1);
  expect(pick(node, 1).map(text)).toEqual(['x0', 'x1']);
  expect(text(inner(node, 4))).toBe('Conv');
  const [group, strides] = pick(node, 5) as Uint8Array[];
  expect(pick(group!, 3)).toEqual([1]);
  expect(text(inner(strides!, 1))).toBe('strides');
  expect(pick(strides!, 8)).toEqual([2, 2]);
  const dimensions = pick(inner(graph, 11, 2, 1, 2), 1) as Uint8Array[];
  expect(dimensions.map((dimension) => pick(dimension, 1)[0])).toEqual([8, 3, 300, 7]);
  expect(pick(inner(bytes, 8), 2)).toEqual([17]);
});
