import { create, toBinary } from '@bufbuild/protobuf';
import { formatByteSize } from '../text/byte-size.js';
import { ExportError } from './export-error.js';
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataType as DataType,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './onnx_pb.js';

/**
 * An ONNX model while it is written, node after node: names that are unique, constants that are there once, and in the
 * end the bytes of the file. Knows nothing of our own graphs.
 */

/** The operator set that all nodes are of: the first with LayerNormalization, and read by every runtime of today. */
export const OPSET = 17;
const IR_VERSION = 8;

/** Whole numbers are ints; a float says so. */
export type OnnxAttribute = number | readonly number[] | { readonly float: number };

/** A size, or the name of one that is free. */
export type OnnxDimension = number | string;

export interface OnnxAbout {
  readonly name: string;
  readonly description?: string;
  /** Version of tailray. */
  readonly version: string;
  /** What `metadata_props` holds. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** A protocol buffer of more cannot be read (its sizes are 32-bit integers); the part that is no tensor is small. */
const MOST_BYTES = 2 ** 31 - 1 - 2 ** 24;

export class OnnxGraph {
  readonly #nodes: NodeProto[] = [];
  readonly #initializers: TensorProto[] = [];
  readonly #inputs: ValueInfoProto[] = [];
  readonly #outputs: ValueInfoProto[] = [];
  readonly #names = new Set<string>();
  readonly #constants = new Map<string, string>();

  /** An f32 tensor that the user of the model gives. */
  input(name: string, shape: readonly OnnxDimension[], description = ''): string {
    this.#names.add(name);
    this.#inputs.push(floatInfo(name, shape, description));
    return name;
  }

  /** A tensor of the file. @param data row-major; not copied */
  initializer(name: string, shape: readonly number[], data: Float32Array | BigInt64Array): string {
    const unique = this.#unique(name);
    this.#initializers.push(
      create(TensorProtoSchema, {
        name: unique,
        dims: shape.map(BigInt),
        dataType: data instanceof Float32Array ? DataType.FLOAT : DataType.INT64,
        rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      }),
    );
    return unique;
  }

  /** An f32 scalar; the same value is one tensor. */
  scalar(value: number): string {
    return this.#constant(`scalar ${Math.fround(value)}`, [], Float32Array.of(value));
  }

  /** A vector of whole numbers, as shapes and axes are. */
  integers(values: readonly number[]): string {
    return this.#constant(
      `integers ${values.join(' ')}`,
      [values.length],
      BigInt64Array.from(values, (value) => BigInt(value)),
    );
  }

  /**
   * Adds a node. @param inputs names of values @param scope where in the network it belongs, for its name
   * @returns the name of its (first) output
   */
  node(
    operator: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
    scope = '',
  ): string {
    const name = this.#unique(scope === '' ? operator : `${scope}/${operator}`);
    const attribute = Object.entries(attributes).map(([key, value]) => attributeProto(key, value));
    this.#nodes.push(
      create(NodeProtoSchema, { name, opType: operator, input: [...inputs], output: [name], attribute }),
    );
    return name;
  }

  /** Makes a value an output of the model, under the name `name`. */
  output(name: string, shape: readonly OnnxDimension[], value: string, description = ''): void {
    if (this.#names.has(name)) throw new ExportError(`two things in the model are called "${name}".`);
    const producer = this.#nodes.find(({ output }) => output.includes(value));
    const taken = this.#outputs.some((output) => output.name === value);
    if (producer && !taken) this.#rename(value, name);
    else
      this.#nodes.push(
        create(NodeProtoSchema, {
          name: `${name}/Identity`,
          opType: 'Identity',
          input: [value],
          output: [name],
        }),
      );
    this.#names.add(name);
    this.#outputs.push(floatInfo(name, shape, description));
  }

  /** The bytes of the file. @throws ExportError for more than a protocol buffer can hold */
  encode({ name, description = '', version, metadata = {} }: OnnxAbout): Uint8Array {
    const bytes = this.#initializers.reduce((sum, { rawData }) => sum + rawData.byteLength, 0);
    if (bytes > MOST_BYTES) {
      throw new ExportError(
        `the weights take ${formatByteSize(bytes)}, more than the ${formatByteSize(MOST_BYTES)} of a single ONNX file: ` +
          'a smaller network is needed, or its weights as safetensors.',
      );
    }
    return toBinary(
      ModelProtoSchema,
      create(ModelProtoSchema, {
        irVersion: BigInt(IR_VERSION),
        opsetImport: [{ domain: '', version: BigInt(OPSET) }],
        producerName: 'tailray',
        producerVersion: version,
        docString: description,
        graph: {
          name,
          node: this.#nodes,
          initializer: this.#initializers,
          input: this.#inputs,
          output: this.#outputs,
        },
        metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
      }),
    );
  }

  #rename(from: string, to: string): void {
    const renamed = (names: string[]) => names.map((name) => (name === from ? to : name));
    for (const node of this.#nodes) {
      node.input = renamed(node.input);
      node.output = renamed(node.output);
    }
  }

  #constant(key: string, shape: readonly number[], data: Float32Array | BigInt64Array): string {
    const known = this.#constants.get(key);
    if (known !== undefined) return known;
    const name = this.initializer(key.replaceAll(' ', '_'), shape, data);
    this.#constants.set(key, name);
    return name;
  }

  #unique(name: string): string {
    let unique = name;
    for (let i = 1; this.#names.has(unique); i++) unique = `${name}_${i}`;
    this.#names.add(unique);
    return unique;
  }
}

function attributeProto(name: string, value: OnnxAttribute): AttributeProto {
  if (typeof value === 'number') {
    return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value) });
  }
  if ('float' in value)
    return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value.float });
  return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: value.map(BigInt) });
}

function floatInfo(name: string, shape: readonly OnnxDimension[], docString: string): ValueInfoProto {
  const dim = shape.map((size) => ({
    value:
      typeof size === 'number'
        ? { case: 'dimValue' as const, value: BigInt(size) }
        : { case: 'dimParam' as const, value: size },
  }));
  return create(ValueInfoProtoSchema, {
    name,
    docString,
    type: { value: { case: 'tensorType', value: { elemType: DataType.FLOAT, shape: { dim } } } },
  });
}
