import {
  bfloatsToFloat32,
  type ElementArrays,
  elementArrays,
  halfToNumber,
  SAFETENSORS_DTYPES,
  type SafetensorsDtype,
} from './safetensors-dtypes.js';
import {
  countBytes,
  isSizes,
  METADATA_KEY,
  quote,
  readHeader,
  SafetensorsError,
} from './safetensors-header.js';

/**
 * Safetensors files (huggingface/safetensors): a JSON header and raw little-endian tensors, the format in which timm and
 * open_clip weights are published. Pure functions on bytes, so the same code reads a checkpoint in node and in a browser.
 */

/** A tensor of a file. `data` is row-major; F16 and BF16 are bit patterns (see `toFloat32`). */
export type SafetensorsTensor = {
  readonly [D in SafetensorsDtype]: {
    readonly dtype: D;
    readonly shape: readonly number[];
    readonly data: ElementArrays[D];
  };
}[SafetensorsDtype];

export interface SafetensorsFile {
  /** By name, in the order of their data in the file. */
  readonly tensors: ReadonlyMap<string, SafetensorsTensor>;
  /** The file's text pairs; empty when it has none. */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Reads a safetensors file. Tensors are views into `bytes` where alignment permits (files by our and the reference
 * writer: always, if `bytes` itself begins at a multiple of 8), and copies otherwise: nothing larger than the file is
 * ever allocated, whatever its header says.
 * @param bytes the whole file
 * @throws SafetensorsError for anything the format forbids, naming the tensor and its offsets
 */
export function readSafetensors(bytes: Uint8Array): SafetensorsFile {
  const { entries, metadata } = readHeader(bytes);
  const tensors = new Map<string, SafetensorsTensor>();
  for (const { name, dtype, shape, start, end } of entries) {
    const data = elementsOf(dtype, bytes, start, end);
    // The type of `data` follows `dtype`, which TypeScript cannot see through the lookup.
    tensors.set(name, { dtype, shape, data } as SafetensorsTensor);
  }
  return { tensors, metadata };
}

/**
 * Writes a safetensors file: the same tensors and metadata give the same bytes, in whatever order they are passed. As in
 * the reference implementation, tensors lie in descending order of dtype, then by name (by UTF-16 units); the header is
 * padded with spaces to a multiple of 8, so every tensor is aligned. Metadata keys are sorted.
 * @throws SafetensorsError for a shape that does not match its data or a name that the format reserves
 */
export function writeSafetensors(
  tensors: Iterable<readonly [name: string, tensor: SafetensorsTensor]>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const rank = new Map(SAFETENSORS_DTYPES.map((dtype, i) => [dtype, i]));
  const rankOf = (tensor: SafetensorsTensor) => rank.get(tensor.dtype) ?? -1;
  const sorted = [...tensors].sort(([aName, a], [bName, b]) => rankOf(b) - rankOf(a) || order(aName, bName));
  const pairs = Object.entries(metadata).sort(([a], [b]) => order(a, b));
  // Assembled as text: as an object's keys, names such as "0" would be moved and "__proto__" lost.
  const fields: string[] = [];
  if (pairs.length > 0) fields.push(`${JSON.stringify(METADATA_KEY)}:${objectText(pairs)}`);
  let offset = 0;
  const names = new Set<string>();
  for (const [name, tensor] of sorted) {
    if (names.has(name)) throw new SafetensorsError(`tensor ${quote(name)} is given twice.`);
    names.add(name);
    checkWritable(name, tensor);
    const end = offset + tensor.data.byteLength;
    const { dtype, shape } = tensor;
    fields.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [offset, end] })}`);
    offset = end;
  }
  const text = `{${fields.join(',')}}`;
  const header = new TextEncoder().encode(text);
  const dataStart = 8 + Math.ceil(header.length / 8) * 8;
  const bytes = new Uint8Array(dataStart + offset).fill(0x20, 8, dataStart);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(dataStart - 8), true);
  bytes.set(header, 8);
  let position = dataStart;
  for (const [, { data }] of sorted) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position);
    position += data.byteLength;
  }
  return bytes;
}

/**
 * A tensor's elements as float32, row-major: F32 as they are (not copied), F16 and BF16 exactly, all others rounded.
 */
export function toFloat32(tensor: SafetensorsTensor): Float32Array {
  switch (tensor.dtype) {
    case 'F32':
      return tensor.data;
    case 'F16':
      return Float32Array.from(tensor.data, halfToNumber);
    case 'BF16':
      return bfloatsToFloat32(tensor.data);
    case 'I64':
    case 'U64':
      return Float32Array.from(tensor.data as Iterable<bigint>, Number);
    default:
      return Float32Array.from(tensor.data);
  }
}

function elementsOf(dtype: SafetensorsDtype, bytes: Uint8Array, start: number, end: number) {
  const Elements = elementArrays[dtype];
  const length = (end - start) / Elements.BYTES_PER_ELEMENT;
  const offset = bytes.byteOffset + start;
  if (offset % Elements.BYTES_PER_ELEMENT === 0) return new Elements(bytes.buffer, offset, length);
  // Not bytes.slice(): node's Buffer, a Uint8Array too, gives a view there.
  return new Elements(new Uint8Array(bytes.subarray(start, end)).buffer, 0, length);
}

function checkWritable(name: string, { dtype, shape, data }: SafetensorsTensor): void {
  if (name === METADATA_KEY) throw new SafetensorsError(`a tensor cannot be called ${quote(METADATA_KEY)}.`);
  const byteLength = isSizes(shape) ? countBytes(dtype, shape) : null;
  if (byteLength !== data.byteLength) {
    throw new SafetensorsError(
      `tensor ${quote(name)} has shape [${shape.join(', ')}] (${dtype}) but ${data.byteLength} bytes of data.`,
    );
  }
}

function objectText(pairs: readonly (readonly [string, string])[]): string {
  return `{${pairs.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`;
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
