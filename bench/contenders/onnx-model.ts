import type { Shape } from '#src/engine/tensor.js';

/**
 * An ONNX model of a single node, written as the bytes of its protocol buffer (onnx.proto of the ONNX project): all
 * that timing one op takes, and no need of a library that writes models.
 */
export interface OnnxNode {
  readonly op: 'MatMul' | 'Conv';
  readonly attributes?: Readonly<Record<string, number | readonly number[]>>;
}

/** f32 inputs named `x0`, `x1`… and one output `y`. */
export function onnxModel(
  { op, attributes = {} }: OnnxNode,
  inputs: readonly Shape[],
  output: Shape,
): Uint8Array {
  const node = message(
    ...inputs.map((_, i) => text(1, `x${i}`)),
    text(2, 'y'),
    text(4, op),
    ...Object.entries(attributes).map(([name, value]) => nested(5, attribute(name, value))),
  );
  const graph = message(
    nested(1, node),
    text(2, op),
    ...inputs.map((shape, i) => nested(11, valueInfo(`x${i}`, shape))),
    nested(12, valueInfo('y', output)),
  );
  const opset = message(text(1, ''), integer(2, OPSET));
  return Uint8Array.from(message(integer(1, IR_VERSION), nested(7, graph), nested(8, opset)));
}

const IR_VERSION = 8;
const OPSET = 17;

const FLOAT = 1;
const INT = 2;
const INTS = 7;

/** The bytes of a message: those of its fields, one after another. */
type Bytes = readonly number[];

function attribute(name: string, value: number | readonly number[]): Bytes {
  return typeof value === 'number'
    ? message(text(1, name), integer(3, value), integer(20, INT))
    : message(text(1, name), ...value.map((one) => integer(8, one)), integer(20, INTS));
}

function valueInfo(name: string, shape: Shape): Bytes {
  const dimensions = message(...shape.map((size) => nested(1, integer(1, size))));
  const tensor = message(integer(1, FLOAT), nested(2, dimensions));
  return message(text(1, name), nested(2, nested(1, tensor)));
}

function message(...fields: readonly Bytes[]): Bytes {
  return fields.flat();
}

function integer(field: number, value: number): Bytes {
  return [...varint(field << 3), ...varint(value)];
}

function nested(field: number, content: Bytes): Bytes {
  return [...varint((field << 3) | 2), ...varint(content.length), ...content];
}

function text(field: number, value: string): Bytes {
  return nested(field, [...new TextEncoder().encode(value)]);
}

/** Seven bits a byte, the lowest first; the top bit says that more follow. */
function varint(value: number): Bytes {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
}
