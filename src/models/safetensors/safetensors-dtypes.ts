/**
 * The element types of safetensors files and what they become in JavaScript. The order is the reference implementation's:
 * its writer puts wider types first, so that every tensor starts at a multiple of its element size.
 */

/** The array that holds each type's elements. Half floats have no array of their own: they stay 16-bit patterns. */
export interface ElementArrays {
  BOOL: Uint8Array;
  U8: Uint8Array;
  I8: Int8Array;
  I16: Int16Array;
  U16: Uint16Array;
  F16: Uint16Array;
  BF16: Uint16Array;
  I32: Int32Array;
  U32: Uint32Array;
  F32: Float32Array;
  F64: Float64Array;
  I64: BigInt64Array;
  U64: BigUint64Array;
}

export type SafetensorsDtype = keyof ElementArrays;

/** Types in ascending order of the reference implementation, with the constructor of their arrays. */
export const elementArrays: {
  readonly [D in SafetensorsDtype]: {
    readonly BYTES_PER_ELEMENT: number;
    new (buffer: ArrayBufferLike, byteOffset: number, length: number): ElementArrays[D];
  };
} = {
  BOOL: Uint8Array,
  U8: Uint8Array,
  I8: Int8Array,
  I16: Int16Array,
  U16: Uint16Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I32: Int32Array,
  U32: Uint32Array,
  F32: Float32Array,
  F64: Float64Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
};

export const SAFETENSORS_DTYPES = Object.keys(elementArrays) as readonly SafetensorsDtype[];

/** IEEE binary16 bit pattern to number, exact, infinities and NaN included. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** bfloat16 bit patterns to float32, exact: they are its upper halves. */
export function bfloatsToFloat32(patterns: Uint16Array): Float32Array<ArrayBuffer> {
  const result = new Float32Array(patterns.length);
  const bits = new Uint32Array(result.buffer);
  for (let i = 0; i < patterns.length; i++) bits[i] = (patterns[i] as number) << 16;
  return result;
}
